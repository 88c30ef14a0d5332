/**
 * What a GGUF file's model gives here, with its blocks as they are: losses of texts, and what follows prompts.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task, Tokenizer, Trainer } from "../../../mod.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import * as Llama from "../../../plugins/llama/mod.ts"

/** Texts to be judged, and prompts to be continued. */
export interface GgufQuestions {
  /** Each of two tokens or more. */
  readonly texts: ReadonlyArray<string>
  readonly prompts: ReadonlyArray<string>
  readonly newTokens: number
}

/** The questions in token ids, and the answers. */
export interface GgufAnswers {
  readonly ids: { readonly texts: ReadonlyArray<Int32Array>; readonly prompts: ReadonlyArray<Int32Array> }
  /** Of all tokens but the first of each text. */
  readonly perplexity: number
  /** Token ids after each prompt. */
  readonly greedy: ReadonlyArray<Int32Array>
  /** Seconds that loading took, with the backend. */
  readonly loading: number
  /** Encodings of the matrices, each once. */
  readonly encodings: ReadonlyArray<string>
}

/** Answers by the model of a file. */
export const ggufAnswers = (file: string, { texts, prompts, newTokens }: GgufQuestions): Promise<GgufAnswers> =>
  Effect.gen(function* () {
    const start = performance.now()
    const model = yield* Model.load(file, { task: Task.causalLM(), frozen: true })
    const loading = (performance.now() - start) / 1000
    const tokenizer = yield* Tokenizer.loadTokenizer(file)
    const ids = (list: ReadonlyArray<string>) => list.map((text) => tokenizer.encode(text))
    // Without it, no text ends with an end token.
    const { eosId: _, ...plain } = tokenizer
    const rows = Dataset.fromRows(texts.map((text) => ({ text })), { text: "text" })
    const { metrics } = yield* Trainer.evaluate(model, rows, { tokenizer: plain, batchSize: 8 })
    const greedy = yield* Model.generate(model, ids(prompts), { maxNewTokens: newTokens, stop: [] })
    const matrices = model.parameters.filter(({ shape }) => shape.length > 1).map(({ slot: { storage } }) => storage)
    return {
      ids: { texts: ids(texts), prompts: ids(prompts) },
      perplexity: metrics.perplexity,
      greedy,
      loading,
      encodings: [...new Set(matrices.map((storage) => encodingOf(storage).name))],
    }
  }).pipe(
    Effect.scoped,
    Effect.provide(Llama.layer.pipe(Layer.provideMerge(Espalier.layerWith({ backend: "wasm" })))),
    Effect.runPromise,
  )
