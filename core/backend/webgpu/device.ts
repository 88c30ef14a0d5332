/**
 * The host side of the device's thread: ordered requests, each with a promise of its answer.
 * @module
 */
import { startThread } from "../thread.ts"
import { BackendError } from "../backend_error.ts"
import { makeRequests } from "../requests.ts"
import { engine, parts } from "./worker/engine.ts"
import type { DeviceFacts, Reply, Request } from "./worker/protocol.ts"

/** A request without its number. */
export type Question = Request extends infer R ? R extends { ticket: number } ? Omit<R, "ticket"> : never : never

/** A running device. */
export interface Device {
  readonly facts: DeviceFacts
  /** Posts a request; `what` names it in errors. Requests are handled in order. */
  readonly ask: (question: Question, what: string, transfer?: Array<ArrayBuffer>) => Promise<Array<ArrayBuffer>>
  /** The error of every later request once the device is lost. */
  readonly lost: () => BackendError | undefined
  /** Bytes of GPU buffers at the last answer. */
  readonly bytes: () => number
  /** Releases device and thread. */
  readonly close: () => Promise<void>
}

/**
 * Starts a device.
 *
 * @param software Whether a software adapter is accepted.
 */
export const startDevice = async (software: boolean): Promise<Device> => {
  const requests = makeRequests<Reply>()
  let bytes = 0
  let closing = false
  let lost: BackendError | undefined
  const lose = (message: string): void => {
    lost ??= new BackendError({
      reason: "Lost",
      message: `The webgpu backend stopped: ${message}. Make a new one, go on from a checkpoint.`,
    })
    requests.rejectAll(lost)
    thread.terminate()
  }
  const thread = await startThread<Request, Reply, typeof parts>(engine, parts, (reply) => {
    bytes = reply.bytes
    const { ticket, error } = reply
    if (error?.reason === "Lost") return lose(closing ? "it was closed" : error.message)
    const asked = requests.take(ticket)
    if (error === null) return asked?.resolve(reply)
    asked?.reject(
      new BackendError({
        reason: error.reason,
        // An unsupported machine is not a failure of the backend.
        message: error.reason === "Unsupported"
          ? error.message
          : `The webgpu backend failed in ${asked.what}: ${error.message}`,
      }),
    )
  }, (message) => lose(`its worker broke: ${message}`))
  const send = (question: Question, what: string, transfer?: Array<ArrayBuffer>): Promise<Reply> => {
    if (lost !== undefined) return Promise.reject(lost)
    return requests.open(what, (ticket) => thread.post({ ...question, ticket } as Request, transfer))
  }
  try {
    const facts = (await send({ kind: "start", software }, "its start")).device!
    return {
      facts,
      ask: async (question, what, transfer) => (await send(question, what, transfer)).data,
      lost: () => lost,
      bytes: () => bytes,
      close: async () => {
        closing = true
        await send({ kind: "close" }, "closing").catch(() => {}) // a lost device is closed
        lose("it was closed")
        // Deno crashes if its process ends while a worker's device is torn down, and does not report when that is done.
        await new Promise((resolve) => setTimeout(resolve, 100))
      },
    }
  } catch (error) {
    thread.terminate()
    throw error
  }
}
