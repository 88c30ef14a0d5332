/**
 * A tiny model, its tokenizer and two classes of texts that can be told apart.
 * @module
 */
import { fromRows, type LabeledData, type TextData } from "../../../core/tasks/dataset/dataset.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { trainBpe } from "../../../core/data/tokenizer/training/train_bpe.ts"
import { initialize, type Model } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"

const words = ["sun moon star sky cloud rain", "bread milk cheese apple salt rice"].map((list) => list.split(" "))

/** Sentences of three to eight words of one of two fields; the label says which. */
export function texts(count: number): LabeledData {
  const rows = Array.from({ length: count }, (_, i) => {
    const list = words[i % 2]
    const length = 3 + i * 7 % 6
    return {
      text: Array.from({ length }, (_, j) => list[(i * 5 + j * (1 + i % 3)) % list.length]).join(" "),
      label: i % 2 === 0 ? "sky" : "food",
    }
  })
  return fromRows(rows, { text: "text", label: "label" })
}

/** The same sentences without labels. */
export function plainTexts(count: number): TextData {
  return fromRows(texts(count).rows.map(({ text }) => ({ text })), { text: "text" })
}

/** A tokenizer that was trained on the sentences. */
export const tokenizer: Tokenizer = (() => {
  const { model, config } = trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 })
  return tokenizerOf(model, config)
})()

/** Its `config.json`. */
export const config = {
  model_type: "llama",
  vocab_size: 300,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  initializer_range: 0.2,
  tie_word_embeddings: true,
}

/** A Llama-shaped model of one layer that classifies. */
export const classifier = (seed = 1): ReturnType<typeof initialize> =>
  initialize(config, { task: Task.classification(["food", "sky"]), seed })

/** The same as a language model. */
export const languageModel = (seed = 1): ReturnType<typeof initialize> =>
  initialize(config, { task: Task.causalLM(), seed })

/** All parameters one after the other. */
export async function weightsOf(model: Model): Promise<Float32Array> {
  const parts: Float32Array[] = []
  for (const { slot } of model.parameters) parts.push(await model.backend.read(slot) as Float32Array)
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0)
  return all
}

/** A backend whose slots hold 32-bit numbers, as real ones do: what a checkpoint keeps is all there is. */
export const singleBackend = (): MemoryBackend => {
  const backend = memoryBackend()
  const compile: MemoryBackend["compile"] = async (program) => {
    const executable = await backend.compile(program)
    return {
      ...executable,
      run: async (inputs) => {
        const outputs = await executable.run(inputs)
        for (const slot of backend.slots.values()) slot.set(Float32Array.from(slot))
        return outputs
      },
    }
  }
  return { ...backend, compile }
}
