/**
 * Starts one worker wherever this runs: a Blob worker in Deno, browsers and bundles, `worker_threads` in Node.
 * @module
 */

/** A running worker. */
export interface Thread<Request> {
  /** Sends a request; `transfer` is moved, not copied. */
  readonly post: (request: Request, transfer?: Array<ArrayBuffer>) => void
  /** Terminates it immediately. */
  readonly terminate: () => void
}

/** Program of a worker. Its source text is sent, so it uses nothing outside itself but its arguments. */
export type ThreadProgram<Request, Reply, Parts> = (
  post: (reply: Reply, transfer: Array<ArrayBuffer>) => void,
  receive: (handler: (request: Request) => void) => void,
  parts: Parts,
) => void

/** The part of Node's `worker_threads.Worker` that is used. */
interface NodeWorker {
  postMessage(message: unknown, transfer?: Array<ArrayBuffer>): void
  terminate(): Promise<number>
  on(event: "message" | "error", listener: (value: never) => void): void
}

/**
 * Starts a worker.
 *
 * @param parts Functions that the program is given, by name. Their texts are sent too, under the same condition.
 * @param onReply Called with each reply.
 * @param onFailure Called when the worker fails.
 */
export const startThread = async <Request, Reply, Parts extends object>(
  program: ThreadProgram<Request, Reply, Parts>,
  parts: Parts,
  onReply: (reply: Reply) => void,
  onFailure: (message: string) => void,
): Promise<Thread<Request>> => {
  const partTexts = `{ ${Object.entries(parts).map(([name, part]) => `${name}: ${part}`).join(", ")} }`
  if (typeof Worker === "function") {
    const text = `(${program})((reply, transfer) => postMessage(reply, transfer), (handler) => {
      onmessage = (event) => handler(event.data)
    }, ${partTexts})`
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }))
    const worker = new Worker(url, { type: "module", name: "espalier" })
    worker.onmessage = (event: MessageEvent<Reply>) => onReply(event.data)
    worker.onerror = (event) => {
      event.preventDefault()
      onFailure(event.message)
    }
    worker.onmessageerror = () => onFailure("a message could not be read")
    return {
      post: (request, transfer = []) => worker.postMessage(request, transfer),
      terminate: () => {
        worker.terminate()
        URL.revokeObjectURL(url)
      },
    }
  }
  const text = `const { parentPort } = require("node:worker_threads")
    ;(${program})((reply, transfer) => parentPort.postMessage(reply, transfer), (handler) => {
      parentPort.on("message", handler)
    }, ${partTexts})`
  // Computed, so that browser bundlers do not resolve it.
  const specifier = "node:worker_threads"
  const { Worker: NodeWorker } = await import(specifier) as {
    Worker: new (text: string, options: { eval: true }) => NodeWorker
  }
  const worker = new NodeWorker(text, { eval: true })
  worker.on("message", onReply as (value: never) => void)
  worker.on("error", ((error: Error) => onFailure(error.message)) as (value: never) => void)
  return {
    post: (request, transfer) => worker.postMessage(request, transfer),
    terminate: () => void worker.terminate(),
  }
}
