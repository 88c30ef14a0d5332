/**
 * What a model's directory gives: token ids, and outputs for one row of tokens, in float64 by the kernels' references.
 * @module
 */
import * as Effect from "effect/Effect"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { loadTokenizer } from "../../core/data/tokenizer_files/load_tokenizer.ts"
import { load } from "../../core/model/mod.ts"
import { generate } from "../../core/inference/generate.ts"
import { Task } from "../../core/tasks/builtin.ts"
import { batchInputs } from "../../core/data/batches/batch_inputs.ts"
import { evaluateAll } from "./evaluate.ts"
import { memoryBackend } from "./memory_backend.ts"
import { run } from "./model_layer.ts"

/** Outputs for a row, flat. */
export interface Outputs {
  readonly logits: ArrayLike<number>
  readonly hidden: ArrayLike<number>
  /** Notes of the model. */
  readonly notes: ReadonlyArray<string>
}

/** The tokenizer of a directory. Fails with its typed error. */
export const tokenizerOf = (directory: string): Promise<Tokenizer> => run(loadTokenizer(directory))

/**
 * What the model of a directory computes from a row of tokens without padding, an encoder-decoder model also of them as the target.
 * Fails with its typed error.
 */
export const outputsOf = (directory: string, task: Task, tokens: ReadonlyArray<number>): Promise<Outputs> => {
  const backend = memoryBackend()
  return run(
    Effect.gen(function* () {
      const model = yield* load(directory, { task })
      const batch = batchInputs("default", 1, tokens.length, task, tokens.length)
      const outputs = model.forward(batch, { training: false })
      const inputs = { tokens, lengths: [tokens.length], ...task.kind === "seq2seq" ? { labels: tokens } : {} }
      const [logits, hidden] = evaluateAll([outputs.logits, outputs.hidden], { inputs, slots: backend.slots })
      return { logits, hidden, notes: model.notes }
    }),
    undefined,
    backend,
  )
}

/** Tokens that the language model of a directory goes on with, the likeliest one each. Fails with its typed error. */
export const greedyOf = (
  directory: string,
  task: Task,
  prompt: ReadonlyArray<number>,
  count: number,
): Promise<ReadonlyArray<number>> =>
  run(
    Effect.gen(function* () {
      const model = yield* load(directory, { task })
      return [...yield* generate(model, Int32Array.from(prompt), { maxNewTokens: count })]
    }),
  )

/** The task that a config's class of transformers is for; a body alone serves any, hidden tokens here. */
export const taskOf = (
  config: { readonly architectures?: ReadonlyArray<string>; readonly id2label?: Readonly<Record<string, string>> },
): Task => {
  const architecture = config.architectures?.[0] ?? ""
  const labels = Object.values(config.id2label ?? {})
  if (/(ForCausalLM|LMHeadModel)$/.test(architecture)) return Task.causalLM()
  if (architecture.endsWith("ForConditionalGeneration")) return Task.seq2seq()
  if (architecture.endsWith("ForSequenceClassification")) return Task.classification(labels)
  if (architecture.endsWith("ForTokenClassification")) return Task.tokenClassification(labels)
  return architecture.endsWith("ForMaskedLM") ? Task.maskedLM() : Task.classification(["a", "b"])
}
