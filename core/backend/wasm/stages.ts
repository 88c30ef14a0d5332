import { accessesOf } from "../../graph/fuse/accesses.ts"
import type { Call } from "../../../kernels/contract.ts"
import {
  call as callFunction,
  type Code,
  globalGet,
  i32,
  type ModuleBuilder,
  when,
  whileTrue,
} from "../../../kernels/wasm/assembler.ts"
import type { Stage } from "../../../kernels/wasm/kernel.ts"
import { collides, type ProgramMemory, type Touch } from "./program_memory.ts"
import { barrierFunction } from "./threads/barrier.ts"
import { COUNTERS, sharesOf } from "./threads/shares.ts"

/** The code of a call. */
export interface EmittedCall {
  readonly call: Call
  readonly stages: ReadonlyArray<Stage>
  /** Blocks of the arena that its stages share. */
  readonly scratch: ReadonlyArray<number>
}

/** Orders stages between threads. */
export interface StageOrder {
  /** Waits for all threads. */
  readonly wait: () => Code
  /** Code of the calls in order: one piece for each barrier and stage. */
  readonly inOrder: (calls: ReadonlyArray<EmittedCall>) => Array<Code>
  /** Number of barriers so far. */
  readonly barriers: () => number
}

/**
 * Adds the functions that threads meet in.
 *
 * @param shared Whether several threads run the code; without them there are no barriers.
 * @param globals Globals of a thread's number and of the number of threads.
 */
export const stageOrder = (
  module: ModuleBuilder,
  memory: ProgramMemory,
  shared: boolean,
  { thread, threadCount }: { readonly thread: number; readonly threadCount: number },
): StageOrder => {
  const together = shared
    ? { barrier: barrierFunction(module, threadCount), shares: sharesOf(module, thread, threadCount) }
    : undefined
  let barriers = 0
  const wait = (): Code => {
    if (together === undefined) return []
    barriers++
    return [together.shares.turn, callFunction(together.barrier)]
  }
  const runStage = ({ units, run, prepare = [], grain = 1 }: Stage, counter: number): Code => {
    if (units === 1) return when(i32.eqz(globalGet(thread)), [prepare, run(i32.const(0), i32.const(1))])
    if (together === undefined) return [prepare, run(i32.const(0), i32.const(units))]
    const { claim, begin, end } = together.shares
    return [prepare, whileTrue(claim(counter, units, grain), run(begin, end))]
  }
  const touchesOf = ({ call, scratch }: EmittedCall): ReadonlyArray<Touch> => {
    const { reads, writes } = accessesOf(call, memory.program.kernels)
    return [
      ...reads.flatMap((buffer) => memory.touch(buffer, false)),
      ...writes.flatMap((buffer) => memory.touch(buffer, true)),
      ...scratch.map((block) => memory.touchBlock(block, true)),
    ]
  }
  return {
    wait,
    inOrder: (calls) => {
      const code: Array<Code> = []
      /** Bytes touched since the last barrier, by thread 0 alone or by all. */
      let open: Array<{ touches: ReadonlyArray<Touch>; alone: boolean }> = []
      const divided = () => open.filter(({ alone }) => !alone).length
      for (const call of calls) {
        const touches = touchesOf(call)
        for (const stage of call.stages) {
          if (stage.units === 0) continue
          const alone = stage.units === 1
          const mustWait = open.some((earlier) =>
            !(alone && earlier.alone) && earlier.touches.some((a) => touches.some((b) => collides(a, b)))
          )
          if (mustWait || divided() === COUNTERS) {
            code.push(wait())
            open = []
          }
          const counter = divided()
          open.push({ touches, alone })
          code.push(runStage(stage, counter))
        }
      }
      return code
    },
    barriers: () => barriers,
  }
}
