/**
 * A LoRA step, r 8 on query and value, beside PEFT: tokens a second.
 * @module
 */
import { loraCases, loraDirectory, ourLoraStep, peftStep } from "../../lora.ts"
import { withoutFlag } from "../../peers.ts"
import { compare, type Suite } from "../../suite.ts"

const suite = "lora-step"

/** Suite `lora-step`. */
export const loraStep: Suite = {
  name: suite,
  python: "needed",
  run: async (bench) => {
    for (const one of loraCases) {
      const { name, tokens } = one
      const directory = await loraDirectory(one)
      const ours = ourLoraStep(directory)
      const single = { ...ourLoraStep(directory, "--threads", "1"), name: "Espalier itself, 1 thread" }
      const peers = await peftStep(directory)
      const figure = (milliseconds: number) => 1000 * tokens / milliseconds
      const event = { suite, name, backend: "wasm", unit: "tokens/s", steps: 3, figure }
      await compare(bench, event, ours, [...peers, single])
      await compare(bench, { ...event, name: `${name}, without V8's flag` }, withoutFlag(ours), peers)
    }
  },
}
