/**
 * Set-up of deep models: from structure to the code of a training step, by layers. No weights are needed. With `--before
 * CHECKOUT`, beside an older checkout, whose programs are compared too.
 * @module
 */
import { resolve } from "node:path"
import { median, start } from "../contest.ts"
import type { SetupProgram } from "../ours/setup.ts"
import { deno } from "../peers.ts"
import { result } from "../result.ts"
import type { StepTimes } from "../serve.ts"
import type { Suite } from "../suite.ts"

const suite = "setup"
const LAYERS = [30, 120] as const
/** How many times as long four times as many layers may take: linear, with a little room. */
const MOST = 4.4
/** Further turns of a process, whose code is optimized. */
const AGAIN = 4

/** Milliseconds by round. */
interface Times {
  /** Of the first turn of a process: what a person waits for. */
  readonly first: Array<number>
  /** Of the best of the further ones. */
  readonly again: Array<number>
}

/** Turns of a process of its own. */
const once = async (layers: number, times: Times, checkout?: string): Promise<SetupProgram> => {
  const { command: [program, ...args], ...rest } = deno(
    "set-up",
    "ours/setup.ts",
    String(layers),
    ...(checkout === undefined ? [] : [checkout]),
  )
  const config = checkout === undefined ? [] : ["--config", `${checkout}/deno.json`]
  const process = start({ ...rest, command: [program, args[0], ...config, ...args.slice(1)] })
  try {
    times.first.push(...(await process.ask<StepTimes>("step 1")).milliseconds)
    times.again.push(Math.min(...(await process.ask<StepTimes>(`step ${AGAIN}`)).milliseconds))
    return await process.ask<SetupProgram>("program")
  } finally {
    await process.stop()
  }
}

/** Suite `setup`. */
export const setup: Suite = {
  name: suite,
  python: "no",
  run: async ({ rounds, before, take, note }) => {
    const older = before === undefined ? undefined : resolve(before)
    const times = (): Times => ({ first: [], again: [] })
    const own = LAYERS.map(times), theirs = LAYERS.map(times)
    for (let round = 0; round < rounds; round++) {
      for (const [i, layers] of LAYERS.entries()) {
        const ours = await once(layers, own[i])
        if (older === undefined) continue
        const { program, code } = await once(layers, theirs[i], older)
        const same = (a: string, b: string) => a === b ? "the same" : "another"
        if (round === 0) {
          note(
            `${suite}, ${layers} layers: ${ours.calls} calls; ${same(ours.program, program)} program, ${
              same(ours.code, code)
            } code`,
          )
        }
      }
    }
    const common = { suite, backend: "wasm", unit: "ms" }
    const turns = [["first", "the first of a process"], ["again", "again"]] as const
    for (const [turn, when] of turns) {
      const middle = (times: ReadonlyArray<Times>) => times.map((one) => median(one[turn]))
      const [few, many] = middle(own)
      const name = (layers: number) => `LoRA step of a Llama of ${layers} layers, ${when}`
      const limit = { peer: MOST * few, peerName: `${MOST} times ${LAYERS[0]} layers` }
      take(result({ ...common, name: name(LAYERS[1]), ours: many, ...limit }))
      if (older === undefined) continue
      for (const [i, peer] of middle(theirs).entries()) {
        take(result({ ...common, name: name(LAYERS[i]), ours: [few, many][i], peer, peerName: "the checkout before" }))
      }
    }
  },
}
