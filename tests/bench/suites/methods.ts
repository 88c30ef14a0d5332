/**
 * What methods cost a forward pass of MiniLM: adapters that differ from row to row, and a prefix.
 * @module
 */
import { loraCases, loraDirectory } from "../lora.ts"
import { deno } from "../peers.ts"
import { compare, type Suite } from "../suite.ts"

const suite = "methods"

/** Suite `methods`. */
export const methods: Suite = {
  name: suite,
  python: "needed",
  run: async (bench) => {
    const [minilm] = loraCases
    const directory = await loraDirectory(minilm)
    const event = { suite, backend: "wasm", unit: "ms/forward", steps: 3 }
    const forward = (name: string, what: string) => ({
      ...deno(name, "ours/forward.ts", directory, what),
      // With another method the states are others.
      apart: true,
    })
    await compare(
      bench,
      { ...event, name: `${minilm.name}, 8 different adapters in a batch` },
      forward("Espalier", "8"),
      [forward("Espalier, one adapter", "1")],
    )
    await compare(
      bench,
      { ...event, name: `${minilm.name}, prefix of 16` },
      forward("Espalier", "prefix"),
      [forward("Espalier, no method", "plain")],
    )
  },
}
