/**
 * A LoRA step while the machine does something else: beside one process that computes without end, at the same priority, and
 * alone. How many times as long it takes stands beside PEFT's own.
 * @module
 */
import { type Contestant, median, start } from "../contest.ts"
import { loraCases, loraDirectory, ourLoraStep, peftStep } from "../lora.ts"
import { result } from "../result.ts"
import type { StepTimes } from "../serve.ts"
import type { Suite } from "../suite.ts"

const suite = "busy"
/** Steps of a turn: a scheduler's moods last some tens of milliseconds. */
const STEPS = 4
/** Milliseconds until the busy process has found its processor. */
const SETTLING = 200

/** Step times in milliseconds. */
interface Times {
  readonly alone: Array<number>
  readonly beside: Array<number>
}

/** Runs something beside a busy process. */
const besideBusy = async <A>(work: () => Promise<A>): Promise<A> => {
  const args = ["eval", "while (true);"]
  const process = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "null" }).spawn()
  try {
    await new Promise((done) => setTimeout(done, SETTLING))
    return await work()
  } finally {
    process.kill("SIGKILL")
    await process.status
  }
}

const measure = async (contestants: ReadonlyArray<Contestant>, rounds: number): Promise<ReadonlyArray<Times>> => {
  const running = contestants.map(start)
  const times = contestants.map((): Times => ({ alone: [], beside: [] }))
  try {
    for (let round = -1; round < rounds; round++) {
      for (const [i, one] of running.entries()) {
        const turn = async () => (await one.ask<StepTimes>(`step ${STEPS}`)).milliseconds
        const alone = await turn(), beside = await besideBusy(turn)
        // The first round only warms up.
        if (round < 0) continue
        times[i].alone.push(...alone)
        times[i].beside.push(...beside)
      }
    }
  } finally {
    await Promise.all(running.map((one) => one.stop()))
  }
  return times
}

/** Suite `busy`. */
export const busy: Suite = {
  name: suite,
  python: "needed",
  run: async ({ rounds, take }) => {
    for (const one of loraCases) {
      const directory = await loraDirectory(one)
      const [peer] = await peftStep(directory)
      const [own, theirs] = await measure([ourLoraStep(directory), peer], rounds)
      const common = { suite, backend: "wasm" }
      const ours = median(own.beside), alone = median(own.alone)
      const name = `${one.name}, beside a busy process`
      take(result({ ...common, name, unit: "ms/step", ours, peer: alone, peerName: "Espalier itself, alone" }))
      take(result({ ...common, name, unit: "ms/step", ours, peer: median(theirs.beside), peerName: peer.name }))
      const times = { ours: ours / alone, peer: median(theirs.beside) / median(theirs.alone) }
      take(result({ ...common, name: `${name}, times as long as alone`, unit: "times", ...times, peerName: peer.name }))
    }
  },
}
