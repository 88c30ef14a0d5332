import { assertEquals, assertThrows } from "@std/assert"
import { decodeLoraConfig, encodeLoraConfig, type PeftLoraConfig } from "../../../plugins/peft_format/mod.ts"
import { PeftError } from "../../../plugins/peft_names/mod.ts"

const full: PeftLoraConfig = {
  taskType: "SEQ_CLS",
  baseModel: "some/model",
  r: 4,
  loraAlpha: 16,
  loraDropout: 0.1,
  targetModules: ["a", "b"],
  excludeModules: ".*z",
  bias: "lora_only",
  useRslora: true,
  modulesToSave: ["score"],
  rankPattern: { a: 2 },
  alphaPattern: { b: 3 },
  layersToTransform: [0, 2],
  layersPattern: ["layers"],
  initLoraWeights: "gaussian",
  useDora: true,
}

Deno.test("a config survives writing and reading", () => {
  assertEquals(decodeLoraConfig(encodeLoraConfig(full), "f"), full)
})

Deno.test("groups of inputs: what A reads of them is what the file says, or PEFT's where that wrote it", () => {
  const groups = { useQalora: true, qaloraGroupSize: 32, qaloraPooling: "mean" } as const
  assertEquals(decodeLoraConfig(encodeLoraConfig({ ...full, ...groups }), "f"), { ...full, ...groups })
  const read = (more: object) => {
    const { useQalora, qaloraGroupSize, qaloraPooling } = decodeLoraConfig(
      JSON.stringify({ peft_type: "LORA", qalora_group_size: 16, ...more }),
      "f",
    )
    return [useQalora, qaloraGroupSize, qaloraPooling]
  }
  assertEquals(read({ use_qalora: true, peft_version: "0.21.0" }), [true, 16, "peft"])
  assertEquals(read({ use_qalora: true }), [true, 16, undefined])
  assertEquals(read({ use_qalora: false, peft_version: "0.21.0" }), [undefined, undefined, undefined])
})

Deno.test("what is written is sorted and for inference", () => {
  const text = encodeLoraConfig({ ...full, targetModules: ["b", "a"] })
  const record = JSON.parse(text)
  assertEquals(Object.keys(record), Object.keys(record).sort())
  assertEquals([record.inference_mode, record.peft_type, record.target_modules], [true, "LORA", ["a", "b"]])
})

Deno.test("only what is there and plain is needed; harmless unknown fields are left alone", () => {
  const config = decodeLoraConfig(
    '{"peft_type": "LORA", "target_modules": "x.*", "runtime": 3, "use_dora": false}',
    "f",
  )
  assertEquals([config.r, config.loraAlpha, config.targetModules, config.modulesToSave], [8, 8, "x.*", []])
})

Deno.test("fields that change the meaning in unknown ways are errors", () => {
  const attempt = (more: unknown) => () =>
    decodeLoraConfig(JSON.stringify({ peft_type: "LORA", ...more as Record<string, unknown> }), "f.json")
  assertThrows(attempt({ use_qalora: "yes" }), PeftError, 'use_qalora must be true or false, got "yes"')
  assertThrows(attempt({ use_qalora: true, qalora_pooling: "max" }), PeftError, "qalora_pooling")
  assertThrows(attempt({ init_lora_weights: "corda" }), PeftError, '"corda" is not known here: its numbers count from')
  assertThrows(attempt({ init_lora_weights: "loftq", loftq_config: { loftq_bits: 4 } }), PeftError, "few bits")
  // A random subspace cannot be found again.
  assertThrows(attempt({ init_lora_weights: "pissa_niter_4" }), PeftError, '"pissa_niter_4"')
  assertThrows(attempt({ peft_type: "IA3" }), PeftError, '"IA3"')
  assertThrows(attempt({ task_type: "QUESTION_ANS" }), PeftError, '"QUESTION_ANS"')
  assertThrows(attempt({ layer_replication: [[0, 2]] }), PeftError, "layer_replication")
  assertThrows(attempt({ r: 0 }), PeftError, "r must be a positive integer, got 0")
  assertThrows(attempt({ bias: "x" }), PeftError, '"x"')
  assertThrows(() => decodeLoraConfig("[]", "f"), PeftError, "JSON object")
  assertThrows(() => decodeLoraConfig("{", "f"), PeftError, "line 1")
})
