/**
 * Private runs on a tiny language model.
 * @module
 */
import { type Contribution, Espalier, Model, Plugins, Trainer, type TrainEvent } from "@espalier/espalier"
import * as DifferentialPrivacy from "@espalier/espalier/differential-privacy"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { data, languageModel, tokenizer } from "../../seams/language_model.ts"

export { data, tokenizer }

/** Plugins of a run. */
export type Methods = Layer.Layer<never, unknown, Plugins.Plugins>

/** LoRA with an update that is not zero. */
export const lora = Lora.layer({ r: 2, initLoraWeights: false }) as Layer.Layer<unknown, unknown, unknown> as Methods

/** Private training. */
export const privacy = (options: DifferentialPrivacy.DifferentialPrivacyOptions): Methods =>
  DifferentialPrivacy.layer(options) as Layer.Layer<unknown, unknown, unknown> as Methods

/** A contribution as a plugin. */
export const registered = (contribution: Contribution): Methods =>
  Layer.effectDiscard(Effect.flatMap(Plugins.Plugins, ({ register }) => register(contribution)))

/** What a run did. */
export interface Trained {
  readonly run: Trainer.Run
  /** Values of all parameters. */
  readonly weights: ReadonlyArray<number>
  readonly events: ReadonlyArray<TrainEvent>
}

/** Trains; rejects with the run's error. */
export function train(
  methods: Methods,
  options: Trainer.TrainOptions,
  { onEvent, splits = { train: data } }: {
    readonly onEvent?: (event: TrainEvent) => void
    readonly splits?: Trainer.TrainingData
  } = {},
): Promise<Trained> {
  const events: Array<TrainEvent> = []
  const observe = (event: TrainEvent) =>
    Effect.sync(() => {
      events.push(event)
      onEvent?.(event)
    })
  const program = Effect.gen(function* () {
    const model = yield* languageModel
    const run = yield* Trainer.fit(model, splits, { tokenizer, learningRate: 0.01, ...options, observe })
    const values = yield* Model.readParameters(model)
    return { run, weights: values.flatMap(({ data }) => Array.from(data)), events }
  })
  const layers = Layer.mergeAll(methods, Llama.layer).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layers)))
}

/** The message of the error that a run must fail with. */
export async function failure(...of: Parameters<typeof train>): Promise<string> {
  try {
    await train(...of)
  } catch (error) {
    return `${error}`
  }
  throw new Error("It did not fail")
}

export const messagesIn = ({ events }: Trained): string =>
  events.flatMap((event) => event.type === "message" ? event.text : []).join("\n")

/** Copies a folder. */
export function copy(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true })
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copy(`${from}/${name}`, `${to}/${name}`)
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`)
  }
}
