import { assert, assertEquals, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { rotaryTables } from "../../../core/model/blocks/sequence.ts"
import { ropeOf } from "../../../plugins/rotary/mod.ts"
import { distance, fixture } from "../../support/model_layer.ts"

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
  const nothing = () => ropeOf(new ConfigReader("config.json", { rope_theta: null }), { headDim: 8, maxPositions: 64 })
  assertThrows(nothing, JsonError, "rope_theta must be a number greater than 0, or left out, got null")
  const both = { low_freq_factor: 4, high_freq_factor: 4, original_max_position_embeddings: 8 }
  assertThrows(attempt({ rope_type: "llama3", factor: 8, ...both }), JsonError, "high_freq_factor")
})

interface Made {
  readonly frequencies: number[]
  readonly scale: number
  readonly error?: string
}

/** Configs with what transformers 4.57.6 and 5.24.0 make of them (make_rope.py). */
const cases: ReadonlyArray<{ readonly type: string; readonly config: Record<string, unknown> } & Record<string, Made>> =
  JSON.parse(Deno.readTextFileSync(fixture("llama/rope.json")))

Deno.test("frequencies and factors of each spelling and kind are those of transformers 5.24.0 and 4.57.6", () => {
  const refused: string[] = []
  for (const { config, "4.57.6": older, "5.24.0": newer } of cases) {
    const name = JSON.stringify(config)
    let rope
    try {
      rope = ropeOf(new ConfigReader("config.json", config), { headDim: 16, maxPositions: 64 })
    } catch (error) {
      assert(error instanceof JsonError, String(error))
      refused.push(name)
      continue
    }
    // Version 4 does not know rope_parameters, and takes its own fields alone.
    const judges = "rope_parameters" in config || older.error !== undefined ? [newer] : [newer, older]
    for (const { frequencies, scale } of judges) {
      const error = distance(rope.frequencies.map((value, i) => value / frequencies[i]), frequencies.map(() => 1))
      assert(error < 2e-6 && Math.abs(rope.scale - scale) < 1e-12, `${name}: off by ${error}, ${rope.scale}`)
    }
  }
  // What the versions read otherwise, what is not known here, and a scaling without a kind.
  assertEquals(refused.map((name) => JSON.parse(name)), [
    { rope_theta: 300, rope_parameters: { rope_type: "default", rope_theta: 900 } },
    { rope_scaling: { rope_type: "linear", factor: 2, rope_theta: 900 } },
    {
      rope_theta: 900,
      rope_scaling: { rope_type: "linear", factor: 2 },
      rope_parameters: { rope_theta: 900, rope_type: "default" },
    },
    { rope_theta: 900, original_max_position_embeddings: 16, rope_scaling: { rope_type: "yarn", factor: 4 } },
    {
      rope_theta: 900,
      original_max_position_embeddings: 16,
      rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32 },
    },
    { rope_theta: 300, rope_scaling: { type: "linear", rope_type: "yarn", factor: 2 } },
    { rope_theta: 300, rope_scaling: { factor: 2 } },
    {
      rope_theta: 300,
      rope_scaling: {
        rope_type: "longrope",
        short_factor: Array(8).fill(1),
        long_factor: Array(8).fill(2),
        factor: 4,
      },
    },
    { rope_theta: 300, partial_rotary_factor: 0.5 },
  ])
})

Deno.test("parameters by layer type count where all types agree; fields that no kind knows are refused by name", () => {
  const read = (rope_parameters: unknown) =>
    ropeOf(new ConfigReader("config.json", { rope_parameters }), { headDim: 8, maxPositions: 64 })
  const linear = { rope_type: "linear", rope_theta: 50, factor: 2 }
  assertEquals(read({ full_attention: linear, sliding_attention: { ...linear } }), read(linear))
  const other = { full_attention: linear, sliding_attention: { ...linear, rope_theta: 60 } }
  assertThrows(() => read(other), JsonError, '"full_attention" and "sliding_attention" differ')
  assertThrows(() => read({ ...linear, mrope_section: [1, 2, 1] }), JsonError, "mrope_section")
  assertThrows(() => read({ ...linear, partial_rotary_factor: 0.5 }), JsonError, "partial_rotary_factor")
  assertThrows(() => read({ rope_type: "default", rope_theta: 50, factor: 2 }), JsonError, "factor")
  assertThrows(() => read({ rope_type: "proportional", rope_theta: 50 }), JsonError, "proportional")
  assertThrows(() => read({ ...linear, rope_theta: 0 }), JsonError, "greater than 0")
})
