/**
 * An 8B Llama's shape in Q4_1, in more memories than one: a LoRA step and further tokens. Only the peak of memory has a
 * figure that it is held against. Takes 5 GB of a disk, 7 GB of memory and some minutes; runs where it is named.
 * @module
 */
import { start } from "../contest.ts"
import { LAYERS, writeLargeLlama } from "../large_llama.ts"
import { peakOf } from "../peak_memory.ts"
import { deno } from "../peers.ts"
import { result } from "../result.ts"
import type { StepTimes } from "../serve.ts"
import type { Suite } from "../suite.ts"

const suite = "large"
/** MB. */
const LIMIT = 6500

/** What the process answers to `load` and `decode`. */
interface Answers {
  readonly load: { readonly milliseconds: number; readonly memory: { readonly slotBytes: number } }
  readonly decode: { readonly milliseconds: number }
}

/** Suite `large`. */
export const large: Suite = {
  name: suite,
  most: 1,
  named: true,
  python: "no",
  run: async ({ take, note }) => {
    const directory = await Deno.makeTempDir()
    try {
      const path = `${directory}/model.gguf`
      const bytes = await writeLargeLlama(path)
      const process = start(deno("Espalier", "ours/large.ts", path))
      try {
        const seconds = (milliseconds: number) => (milliseconds / 1000).toPrecision(3)
        const load = await process.ask<Answers["load"]>("load")
        note(
          `large: ${LAYERS} layers, ${(bytes / 1e9).toFixed(2)} GB of weights, loaded in ${
            seconds(load.milliseconds)
          } s`,
        )
        const { milliseconds, loss } = await process.ask<StepTimes>("step 1")
        note(
          `large: LoRA step of 1 x 128 tokens, with its compilation: ${seconds(milliseconds[0])} s, loss ${
            loss.toFixed(4)
          }`,
        )
        const again = await process.ask<StepTimes>("step 1")
        note(`large: the next step: ${seconds(again.milliseconds[0])} s, loss ${again.loss.toFixed(4)}`)
        const decode = await process.ask<Answers["decode"]>("decode")
        note(`large: 16 tokens of decode: ${seconds(decode.milliseconds)} s a token`)
        const ours = await peakOf(process.pid)
        const name = "8B Llama's shape, Q4_1, step and decode, peak RSS"
        take(result({ suite, name, backend: "wasm", unit: "MB", ours, peer: LIMIT, peerName: "the limit" }))
      } finally {
        await process.stop()
      }
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  },
}
