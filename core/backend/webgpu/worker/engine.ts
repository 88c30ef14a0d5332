/**
 * The thread that holds the device. A GPU call can block it (Deno waits for kernels), but never the caller.
 * @module
 */
import { makeBuffers } from "./buffers.ts"
import { openDevice } from "./open_device.ts"
import { makeCompile } from "./pipelines.ts"
import { makePrograms } from "./programs.ts"
import type { Failure, Reply, Request } from "./protocol.ts"
import { makeSubmit } from "./results.ts"

/** Functions that {@link engine} is given: the texts of all are sent, so none uses anything outside itself. */
export const parts = { openDevice, makeBuffers, makeCompile, makeSubmit, makePrograms }

/**
 * The program of the thread.
 *
 * @param post Sends a reply.
 * @param receive Registers the handler of requests.
 */
export function engine(
  post: (reply: Reply, transfer: Array<ArrayBuffer>) => void,
  receive: (handler: (request: Request) => void) => void,
  { openDevice, makeBuffers, makeCompile, makeSubmit, makePrograms }: typeof parts,
): void {
  const start = async (software: boolean) => {
    const { device, facts } = await openDevice(software)
    const buffers = makeBuffers(device)
    const submit = makeSubmit(device, buffers)
    return { device, facts, buffers, submit, programs: makePrograms(device, buffers, makeCompile(device), submit) }
  }
  let running: Awaited<ReturnType<typeof start>>
  let lost: Failure | undefined

  const answer = (ticket: number, more: Partial<Reply> = {}): void => {
    const data = more.data ?? []
    post({ ticket, error: null, bytes: running?.buffers.held() ?? 0, ...more, data }, data)
  }
  const fail = (ticket: number, cause: unknown): void => {
    const known = typeof cause === "object" && cause !== null && "reason" in cause
    answer(ticket, { error: lost ?? (known ? cause as Failure : { reason: "Run", message: `${cause}` }) })
  }
  /** Answers when a run or a copy is done; later requests do not wait for it. */
  const answerLater = (ticket: number, result: Promise<Array<ArrayBuffer>>): void =>
    void result.then((data) => answer(ticket, { data }), (cause) => fail(ticket, cause))

  const handle = async (request: Request): Promise<void> => {
    const { ticket } = request
    if (lost !== undefined) throw lost
    switch (request.kind) {
      case "start":
        running = await start(request.software)
        running.device.lost.then(({ message, reason }) => {
          lost = { reason: "Lost", message: `the GPU device was lost (${reason}): ${message}` }
          answer(-1, { error: lost })
        })
        return answer(ticket, { device: running.facts })
      case "create":
        await running.buffers.create(request.buffer, request.bytes)
        break
      case "destroy":
        running.buffers.destroy(request.buffers)
        break
      case "write":
        await running.buffers.write(request)
        break
      case "read":
        return answerLater(ticket, running.submit("read", [request.region], () => {}))
      case "load":
        await running.programs.load(request)
        break
      case "unload":
        running.programs.unload(request.program)
        break
      case "run":
        return answerLater(ticket, running.programs.run(request))
      case "close":
        running.device.destroy()
        break
    }
    answer(ticket)
  }
  let last: Promise<void> = Promise.resolve()
  receive((request) => {
    last = last.then(() => handle(request)).catch((cause) => fail(request.ticket, cause))
  })
}
