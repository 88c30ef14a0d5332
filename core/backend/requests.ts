/**
 * Pending requests to a worker.
 * @module
 */
import type { BackendError } from "./backend_error.ts"

/** A pending request. */
export interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: BackendError) => void
  /** Its purpose, for errors. */
  readonly what: string
}

/** Pending requests by number. */
export interface Requests<Answer> {
  /** Numbers a request and passes the number to `send`; resolves with the answer. */
  readonly open: (what: string, send: (ticket: number) => void) => Promise<Answer>
  /** Removes a request; undefined if none has this number. */
  readonly take: (ticket: number) => Waiting<Answer> | undefined
  /** Number of the oldest request. */
  readonly oldest: () => number | undefined
  /** Rejects and removes all. */
  readonly rejectAll: (error: BackendError) => void
}

/** An empty table of requests. */
export const makeRequests = <Answer>(): Requests<Answer> => {
  const waiting = new Map<number, Waiting<Answer>>()
  let tickets = 0
  return {
    open: (what, send) =>
      new Promise((resolve, reject) => {
        const ticket = tickets++
        waiting.set(ticket, { resolve, reject, what })
        send(ticket)
      }),
    take: (ticket) => {
      const request = waiting.get(ticket)
      waiting.delete(ticket)
      return request
    },
    oldest: () => waiting.keys().next().value,
    rejectAll: (error) => {
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
    },
  }
}
