import { assert, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json_error.ts"
import { ConfigReader } from "../../../core/formats/model_config.ts"
import { ropeOf, rotaryTables } from "../../../plugins/llama/rope.ts"
import { distance, fixture } from "../../model_layer.ts"

const read = (name: string, file: string) => JSON.parse(Deno.readTextFileSync(fixture(`llama/${name}/${file}`)))

Deno.test("frequencies are those of transformers, plain and scaled", () => {
  for (const [name, headDim] of [["llama", 8], ["mistral", 6]] as const) {
    const config = new ConfigReader("config.json", read(name, "config.json"))
    const { frequencies } = ropeOf(config, { headDim, maxPositions: 64 })
    const error = distance(frequencies, read(name, "expected.json").inverseFrequencies)
    assert(error < 1e-6, `${name}: off by ${error}`)
  }
})

Deno.test("scaling slows low frequencies, keeps high ones, and blends those between", () => {
  const scaling = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  }
  const config = (rope_scaling: unknown) => new ConfigReader("config.json", { rope_theta: 500000, rope_scaling })
  const model = { headDim: 64, maxPositions: 131072 }
  const plain = ropeOf(config(null), model).frequencies
  const ratios = ropeOf(config(scaling), model).frequencies.map((frequency, i) => frequency / plain[i])
  assert(ratios[0] === 1 && Math.abs(ratios[31] - 1 / 8) < 1e-12)
  assert(ratios.some((ratio) => ratio > 0.13 && ratio < 0.99))
})

Deno.test("tables begin at the start asked for", () => {
  const { cos, sin } = rotaryTables({ frequencies: [1, 0.01], scale: 1 }, 5, 2)
  assert(distance(cos, [Math.cos(5), Math.cos(0.05), Math.cos(6), Math.cos(0.06)]) < 1e-7)
  assert(distance(sin, [Math.sin(5), Math.sin(0.05), Math.sin(6), Math.sin(0.06)]) < 1e-7)
})

Deno.test("unknown or senseless scaling is an error that quotes it", () => {
  const attempt = (rope_scaling: unknown) => () =>
    ropeOf(new ConfigReader("config.json", { rope_scaling }), { headDim: 8, maxPositions: 64 })
  assertThrows(attempt({ rope_type: "longrope", factor: 4 }), JsonError, "longrope")
  assertThrows(attempt({ type: "su", factor: 4 }), JsonError, "su")
  assertThrows(attempt({ rope_type: "llama3", factor: 8 }), JsonError, "low_freq_factor")
  const both = { low_freq_factor: 4, high_freq_factor: 4, original_max_position_embeddings: 8 }
  assertThrows(attempt({ rope_type: "llama3", factor: 8, ...both }), JsonError, "high_freq_factor")
})
