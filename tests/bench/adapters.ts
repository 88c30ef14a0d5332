/**
 * The adapters and texts of suite `adapters`, by formulas that peers/peft_adapters.py has too.
 * @module
 */
import { encodeTensors, type FileTensor } from "../../plugins/peft_format/tensors.ts"

/** How many adapters take turns. */
export const ADAPTERS = 1000
/** How many take turns in PEFT, which takes long to add many. */
export const FEW = 32
/** Texts of a step. */
export const TEXTS = 64
/** Rank of each adapter. */
export const RANK = 8

const LAYERS = 6, WIDTH = 384, CLASSES = 2

/** Waves of another phase for each adapter and tensor. */
const waves = (shape: ReadonlyArray<number>, size: number, adapter: number, tensor: number): FileTensor => ({
  shape,
  data: Float32Array.from(
    { length: shape[0] * (shape[1] ?? 1) },
    (_, i) => size * Math.sin(0.7 * i + 1.3 * adapter + 2.9 * tensor),
  ),
})

/** The files of an adapter, as PEFT has them. */
export const adapterFiles = (adapter: number): Readonly<Record<string, Uint8Array>> => {
  const tensors = new Map<string, FileTensor>()
  let count = 0
  const add = (name: string, shape: ReadonlyArray<number>, size: number) =>
    tensors.set(`base_model.model.${name}`, waves(shape, size, adapter, count++))
  for (let layer = 0; layer < LAYERS; layer++) {
    for (const part of ["query", "value"]) {
      const module = `bert.encoder.layer.${layer}.attention.self.${part}`
      add(`${module}.lora_A.weight`, [RANK, WIDTH], 0.05)
      add(`${module}.lora_B.weight`, [WIDTH, RANK], 0.05)
    }
  }
  add("classifier.weight", [CLASSES, WIDTH], 0.1)
  add("classifier.bias", [CLASSES], 0.1)
  const config = {
    peft_type: "LORA",
    task_type: "SEQ_CLS",
    r: RANK,
    lora_alpha: 16,
    target_modules: ["query", "value"],
    modules_to_save: ["classifier", "score"],
  }
  return {
    "adapter_config.json": new TextEncoder().encode(JSON.stringify(config)),
    "adapter_model.safetensors": encodeTensors(tensors),
  }
}

/** Texts of a message's length, all of other words. */
export const texts: ReadonlyArray<string> = Array.from({ length: TEXTS }, (_, i) => {
  const words = ["call", "free", "tomorrow", "dinner", "prize", "window", "market", "train", "letter", "music", "river"]
  return Array.from({ length: 12 + 5 * i % 9 }, (_, at) => words[(i * 7 + at * (1 + i % 5)) % words.length]).join(" ")
})
