import { assertEquals, assertThrows } from "@std/assert"
import {
  decodePromptConfig,
  encodePromptConfig,
  nearest,
  type PeftPromptConfig,
} from "../../../plugins/peft_format/mod.ts"
import { PeftError } from "../../../plugins/peft_names/mod.ts"

const TYPES = ["PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"] as const
const common = {
  taskType: "SEQ_CLS",
  baseModel: "some/model",
  numVirtualTokens: 4,
  tokenDim: 8,
  numAttentionHeads: 2,
  numLayers: 3,
  modulesToSave: ["classifier", "score"],
} as const
const all: ReadonlyArray<PeftPromptConfig> = [
  { ...common, peftType: "PREFIX_TUNING", prefixProjection: true, encoderHiddenSize: 6, initWeights: "zero" },
  { ...common, peftType: "PREFIX_TUNING", prefixProjection: false },
  { ...common, peftType: "PROMPT_TUNING", promptTuningInit: "TEXT", promptTuningInitText: "a text" },
  { ...common, peftType: "PROMPT_TUNING", promptTuningInit: "SAMPLE_VOCAB" },
  { ...common, peftType: "P_TUNING", encoderReparameterizationType: "MLP", encoderHiddenSize: 6 },
]

Deno.test("configs survive writing and reading, and are sorted and for inference", () => {
  for (const config of all) {
    const text = encodePromptConfig(config)
    assertEquals(decodePromptConfig(text, "f", TYPES), config)
    const record = JSON.parse(text)
    assertEquals(Object.keys(record), Object.keys(record).sort())
    assertEquals([record.inference_mode, record.peft_type], [true, config.peftType])
  }
})

Deno.test("a text that PEFT could not tokenize is left out", () => {
  const text = encodePromptConfig({ ...all[2], baseModel: "" })
  assertEquals(JSON.parse(text).prompt_tuning_init, "RANDOM")
})

Deno.test("only number and type are needed; what is unknown or makes no sense is an error", () => {
  const read = (more: unknown) =>
    decodePromptConfig(
      JSON.stringify({ peft_type: "PREFIX_TUNING", num_virtual_tokens: 2, ...more as Record<string, unknown> }),
      "f.json",
      TYPES,
    )
  assertEquals(read({}), {
    peftType: "PREFIX_TUNING",
    baseModel: "",
    numVirtualTokens: 2,
    modulesToSave: [],
    prefixProjection: false,
  })
  assertThrows(() => read({ num_virtual_tokens: null }), PeftError, "num_virtual_tokens")
  assertThrows(() => read({ num_virtual_tokens: 0 }), PeftError, "got 0")
  assertThrows(() => read({ peft_type: "LORA" }), PeftError, 'peft_type is "LORA"')
  assertThrows(() => read({ prefix_projektion: true }), PeftError, 'the nearest known one is "prefix_projection"')
  assertThrows(() => read({ encoder_dropout: 0.1 }), PeftError, 'unknown field "encoder_dropout"')
  assertThrows(() => read({ peft_type: "P_TUNING", encoder_reparameterization_type: "GRU" }), PeftError, '"GRU"')
  assertThrows(() => decodePromptConfig("3", "f", TYPES), PeftError, "JSON object")
  assertThrows(() => decodePromptConfig("{", "f", TYPES), PeftError, "line 1")
})

Deno.test("the nearest name is the fewest edits away", () => {
  assertEquals(nearest("lernRate", ["name", "learningRate", "rate"]), "learningRate")
  assertEquals(nearest("num_virtual_token", ["num_layers", "num_virtual_tokens"]), "num_virtual_tokens")
  assertEquals(nearest("", ["abc", "ab"]), "ab")
})
