/**
 * Requests to a worker that wait for their answers.
 * @module
 */
import type { BackendError } from "./backend_error.ts"

/** A request that waits. */
export interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: BackendError) => void
  /** What it is for, in errors. */
  readonly what: string
}

/** Waiting requests by number. */
export interface Requests<Answer> {
  /** Numbers a request and hands the number to `send`; resolves with the answer. */
  readonly open: (what: string, send: (ticket: number) => void) => Promise<Answer>
  /** Removes a request; undefined when none of this number waits. */
  readonly take: (ticket: number) => Waiting<Answer> | undefined
  /** Number of the request that has waited longest. */
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
