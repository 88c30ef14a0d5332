/**
 * A LoRA step, r 8 on query and value, beside PEFT: tokens a second.
 * @module
 */
import { loraCases, loraDirectory, ourLoraStep, peftStep } from "../lora.ts"
import { withoutFlag } from "../peers.ts"
import { compare, gather, type Suite } from "../suite.ts"

const suite = "lora-step"

/** Suite `lora-step`. */
export const loraStep: Suite = {
  name: suite,
  run: async (bench) => {
    for (const one of loraCases) {
      const { name, tokens } = one
      const directory = await loraDirectory(one)
      const single = { ...ourLoraStep(directory, "--threads", "1"), name: "Espalier itself, 1 thread" }
      const narrow = { ...withoutFlag(ourLoraStep(directory)), name: "Espalier itself, vectors of 128 bits (no flag)" }
      const peers = await gather(bench, suite, peftStep(directory), single, narrow)
      const figure = (milliseconds: number) => 1000 * tokens / milliseconds
      const event = { suite, name, backend: "wasm", unit: "tokens/s", steps: 3, figure }
      await compare(bench, event, ourLoraStep(directory), peers)
    }
  },
}
