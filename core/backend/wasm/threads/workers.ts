/**
 * The workers of the engine: thread 0 answers every request, the others join it in loading and running programs.
 * @module
 */
import { BackendError } from "../../backend_error.ts"
import { makeRequests } from "../../requests.ts"
import { startThread, type Thread } from "../../thread.ts"
import { engine, type MemoryGiven, type Reply, type Request } from "./worker.ts"
import { MAXIMUM_PAGES } from "../lower.ts"

/** A request without its number. */
export type Question = Request extends infer R ? R extends { ticket: number } ? Omit<R, "ticket"> : never : never
/** Arrays that were read. */
export type Answer = Reply["data"]

/** Running workers. */
export interface Workers {
  /** Posts a request; `what` names it in errors. Requests are handled in the order of their posting. */
  readonly ask: (question: Question, what: string) => Promise<Answer>
  /** Gives all workers a further memory; without it the one worker makes a memory of its own. */
  readonly giveMemory: (number: number, memory: WebAssembly.Memory | undefined) => void
  /** Unloads a program from all workers. */
  readonly unload: (program: number) => void
  /** The error that every later request gets, once the workers have stopped. */
  readonly lost: () => BackendError | undefined
  /** Stops the workers; waiting requests are rejected with `error`. */
  readonly close: (error: BackendError) => void
}

const given = (memory: WebAssembly.Memory | undefined): MemoryGiven => ({
  memory: memory ?? null,
  initialPages: 1,
  maximumPages: MAXIMUM_PAGES,
})

/**
 * Starts the workers.
 *
 * @param memory Shared memory; without it the one worker makes a memory of its own.
 * @throws BackendError `Unsupported` when a worker does not start.
 */
export const startWorkers = async (threads: number, memory: WebAssembly.Memory | undefined): Promise<Workers> => {
  const requests = makeRequests<Answer>()
  const workers: Array<Thread<Request>> = []
  let lost: BackendError | undefined
  const close = (error: BackendError): void => {
    lost ??= error
    workers.forEach((worker) => worker.terminate())
    workers.length = 0
    requests.rejectAll(error)
  }
  const fail = (ticket: number, cause: string): void => {
    // Errors outside of a request are reported on the oldest one.
    const request = requests.take(ticket) ?? requests.take(requests.oldest() ?? -1)
    const what = request?.what ?? "no request"
    request?.reject(new BackendError({ reason: "Run", message: `The wasm backend failed in ${what}: ${cause}`, cause }))
    // A stopped thread leaves the others at a barrier: nothing more can run.
    const message =
      `The wasm backend stopped after a failure in ${what}: ${cause}. Make a new one, go on from a checkpoint.`
    close(new BackendError({ reason: "Lost", message, cause }))
  }
  const onReply = ({ ticket, data, error }: Reply): void =>
    error === null ? requests.take(ticket)?.resolve(data) : fail(ticket, error)

  const ask: Workers["ask"] = (question, what) => {
    if (lost !== undefined) return Promise.reject(lost)
    return requests.open(what, (ticket) => {
      const request = { ...question, ticket } as Request
      const everyone = question.kind === "run" || question.kind === "load" || question.kind === "memory"
      const quiet = request.kind === "run" ? { ...request, inputs: [], outputs: [] } : request
      workers.forEach((worker, thread) => {
        if (thread === 0) worker.post(request)
        else if (everyone) worker.post(quiet)
      })
    })
  }
  try {
    for (let thread = 0; thread < threads; thread++) {
      workers.push(await startThread(engine, {}, onReply, (message) => fail(-1, `worker ${thread}: ${message}`)))
    }
    // Every worker answers once, so a worker that cannot start is an error here.
    const common = { kind: "start", threads, ...given(memory) } as const
    await Promise.all(
      workers.map((worker, thread) =>
        requests.open(`the start of worker ${thread}`, (ticket) => worker.post({ ...common, ticket, thread }))
      ),
    )
  } catch (cause) {
    const error = new BackendError({ reason: "Unsupported", message: `wasm backend cannot start: ${cause}`, cause })
    close(error)
    throw error
  }
  return {
    ask,
    giveMemory: (number, memory) =>
      void ask({ kind: "memory", number, ...given(memory) }, `memory ${number}`).catch(() => {}), // a later request fails
    unload: (program) => workers.forEach((worker) => worker.post({ kind: "unload", program })),
    lost: () => lost,
    close,
  }
}
