/**
 * A tiny language model with its texts and tokenizer, by the public exports alone.
 * @module
 */
import {
  type Contribution,
  Dataset,
  Espalier,
  Model,
  Plugins,
  Task,
  Tokenizer,
  Trainer,
  type TrainEvent,
} from "@espalier/espalier"
import { trainBpe } from "@espalier/espalier/train-tokenizer"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const sentences = Array.from({ length: 24 }, (_, i) => {
  const words = i % 3 === 0 ? ["bread", "milk", "salt"] : ["sun", "moon", "star", "sky"]
  return Array.from({ length: 2 + i % 5 }, (_, j) => words[(i + j) % words.length]).join(" ")
})
/** Sentences of two to six words. */
export const data: Dataset.TextData = Dataset.fromRows(sentences.map((text) => ({ text })), { text: "text" })

const trained = trainBpe(sentences, { vocabSize: 280 })
/** A tokenizer for them. */
export const tokenizer: Tokenizer.Tokenizer = await Effect.runPromise(
  Tokenizer.makeTokenizer(trained.model, trained.config),
)

/** Its `config.json`. */
export const config = {
  model_type: "llama",
  vocab_size: 280,
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

/** The model. */
export const languageModel = Model.initialize(config, { task: Task.causalLM(), seed: 3 })

const layerOf = (contribution: Contribution | undefined) => {
  const own = contribution === undefined
    ? Layer.empty
    : Layer.effectDiscard(Effect.flatMap(Plugins.Plugins, ({ register }) => register(contribution)))
  return Layer.mergeAll(own, Llama.layer, Lora.layer({ r: 4, loraDropout: 0.1, initLoraWeights: false })).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
}

/** Runs a program with LoRA and a contribution. */
export const run = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  contribution?: Contribution,
): Promise<A> =>
  Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layerOf(contribution))) as Effect.Effect<A>)

/** What a run of `Trainer.fit` did. */
export interface Trained {
  readonly weights: ReadonlyArray<number>
  readonly events: ReadonlyArray<TrainEvent>
}

/** Trains with a contribution; `onEvent` may interrupt the run, which then gives no weights. */
export const train = async (
  contribution: Contribution,
  options: Trainer.TrainOptions,
  onEvent: (event: TrainEvent) => Effect.Effect<void> = () => Effect.void,
): Promise<Trained> => {
  const events: Array<TrainEvent> = []
  const observe = (event: TrainEvent) => {
    events.push(event)
    return onEvent(event)
  }
  const program = Effect.gen(function* () {
    const model = yield* languageModel
    const exit = yield* Effect.exit(Trainer.fit(model, { train: data }, { tokenizer, ...options, observe }))
    if (exit._tag === "Failure" && !events.some((event) => event.type === "stop" && event.reason === "interrupted")) {
      return yield* Effect.failCause(exit.cause)
    }
    const values = yield* Model.readParameters(model)
    return values.flatMap(({ data }) => Array.from(data))
  })
  return { weights: await run(program, contribution), events }
}
