import { assert, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json_error.ts"
import { ConfigReader } from "../../../core/formats/model_config.ts"
import { frequenciesOf, rotaryTables } from "../../../plugins/llama/rope.ts"
import { distance, fixture } from "../../model_layer.ts"

const read = (name: string, file: string) => JSON.parse(Deno.readTextFileSync(fixture(`llama/${name}/${file}`)))

Deno.test("frequencies are those of transformers, plain and scaled", () => {
  for (const [name, headDim] of [["llama", 8], ["mistral", 6]] as const) {
    const frequencies = frequenciesOf(new ConfigReader("config.json", read(name, "config.json")), headDim)
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
  const plain = frequenciesOf(config(null), 64)
  const ratios = frequenciesOf(config(scaling), 64).map((frequency, i) => frequency / plain[i])
  assert(ratios[0] === 1 && Math.abs(ratios[31] - 1 / 8) < 1e-12)
  assert(ratios.some((ratio) => ratio > 0.13 && ratio < 0.99))
})

Deno.test("tables begin at the start asked for", () => {
  const { cos, sin } = rotaryTables([1, 0.01], 5, 2)
  assert(distance(cos, [Math.cos(5), Math.cos(0.05), Math.cos(6), Math.cos(0.06)]) < 1e-7)
  assert(distance(sin, [Math.sin(5), Math.sin(0.05), Math.sin(6), Math.sin(0.06)]) < 1e-7)
})

Deno.test("unknown or senseless scaling is an error that quotes it", () => {
  const attempt = (rope_scaling: unknown) => () => frequenciesOf(new ConfigReader("config.json", { rope_scaling }), 8)
  assertThrows(attempt({ rope_type: "yarn", factor: 4 }), JsonError, "yarn")
  assertThrows(attempt({ type: "linear", factor: 4 }), JsonError, "linear")
  assertThrows(attempt({ rope_type: "llama3", factor: 8 }), JsonError, "low_freq_factor")
  const both = { low_freq_factor: 4, high_freq_factor: 4, original_max_position_embeddings: 8 }
  assertThrows(attempt({ rope_type: "llama3", factor: 8, ...both }), JsonError, "high_freq_factor")
})
