/**
 * What the page does with a file, without the page.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Zip from "effect/encoding/Zip"
import { Backend, Dataset, Espalier, Model, Task, Trainer, type TrainEvent } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"

/** A table as the training will read it. */
export const readTable = (name: string, bytes: Uint8Array): Promise<Dataset.Table> =>
  Effect.runPromise(
    Dataset.readTable(name).pipe(Effect.provide(FileSystem.layerNoop({
      readFile: () => Effect.succeed(bytes),
      // So that a name with brackets is no pattern.
      stat: () => Effect.succeed({ type: "File" } as FileSystem.File.Info),
    }))),
  )

/** What is trained, and how. */
export interface Order {
  /** Files in memory: the model's folder and the table. */
  readonly files: Map<string, Uint8Array>
  /** Paths of the model's folder and of the table. */
  readonly model: string
  readonly data: string
  /** Names of the columns. */
  readonly text: string
  readonly label: string
  readonly epochs: number
  readonly rank: number
  readonly learningRate: number
  /** Told what goes on: a sentence, or an event of the training. */
  readonly onStatus: (sentence: string) => void
  readonly onEvent: (event: TrainEvent) => void
  /** Stops it. */
  readonly signal: AbortSignal
}

/** A model that has learned. */
export interface Trained {
  /** One line: what it was computed on. */
  readonly backend: string
  /** Metrics of rows that were not trained on. */
  readonly before: Readonly<Record<string, number>>
  readonly after: Readonly<Record<string, number>>
  /** The adapter as a ZIP archive, and the report as HTML. */
  readonly adapter: Uint8Array<ArrayBuffer>
  readonly report: Uint8Array<ArrayBuffer>
  /** Labels of a text, the likeliest first. */
  readonly predict: (text: string) => Promise<ReadonlyArray<{ readonly label: string; readonly probability: number }>>
  /** Ends its workers and gives back its memory. */
  readonly close: () => Promise<void>
}

const RUN = "run"
const maxLength = 128

const work = (order: Order) =>
  Effect.gen(function* () {
    const { files, epochs, learningRate, onStatus, onEvent } = order
    const { info } = yield* Backend
    const columns = { text: order.text, label: order.label }
    const data = yield* Dataset.file(order.data, columns).pipe(Dataset.split({ validation: 0.1, test: 0.2, seed: 42 }))
    onStatus(`Loading the model; ${info.description}`)
    const model = yield* Model.load(order.model, { task: Task.classification(data.labels) })
    const splits = { test: data.test, validation: data.validation, training: data.train }
    const [judges, judged] = Object.entries(splits).find(([, { rows }]) => rows.length > 0)!
    const judge = Trainer.evaluate(model, judged, { maxLength })
    onStatus(`Judging the untrained model by ${judged.rows.length} ${judges} rows`)
    const before = yield* judge
    onStatus(`Training on ${data.train.rows.length} rows`)
    const run = yield* Trainer.fit(model, data, {
      epochs,
      learningRate,
      maxLength,
      batchSize: 16,
      warmupRatio: 0.06,
      runFolder: RUN,
      saveEvery: "never",
      observe: (event) => Effect.sync(() => onEvent(event)),
    })
    onStatus("Judging the trained model")
    const after = yield* judge
    yield* run.save("adapter")
    yield* run.report({
      title: `LoRA on ${order.data}`,
      facts: { data: order.data, task: "classification" },
      evaluations: [{ name: "before", metrics: before.metrics }, { name: "after", metrics: after.metrics }],
      classification: after.classification!,
      division: data,
      samples: after.predictions.map(({ label, ...rest }) => ({ ...rest, predicted: label })),
    })
    const entries = [...files].filter(([path]) => path.startsWith("adapter/")).map(([path, bytes]) =>
      Zip.file(path, bytes)
    )
    const archive = Stream.fromIterable(entries).pipe(Stream.pipeThroughChannel(Zip.encode()))
    return {
      info,
      model,
      before: before.metrics,
      after: after.metrics,
      adapter: yield* Effect.map(Stream.runCollect(archive), join),
      report: join([files.get(`${RUN}/report.html`)!]),
    }
  })

const join = (pieces: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

/** Trains. The promise is rejected with an error for people. */
export async function train(order: Order): Promise<Trained> {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  const methods = Lora.layer({ r: order.rank, loraAlpha: 2 * order.rank, targetModules: "all-linear" })
  const layer = Layer.mergeAll(methods, Llama.layer).pipe(
    Layer.provideMerge(Espalier.layerWith({ files: order.files })),
  )
  const begin = Layer.buildWithScope(layer, scope)
  try {
    const services = await Effect.runPromise(begin, { signal: order.signal })
    const own = <A, E>(effect: Effect.Effect<A, E, Effect.Services<ReturnType<typeof work>>>) =>
      effect.pipe(Effect.provideService(Scope.Scope, scope), Effect.provideContext(services))
    const { info, model, ...rest } = await Effect.runPromise(own(work(order)), { signal: order.signal })
    const predict = async (text: string) => {
      const [{ probabilities }] = await Effect.runPromise(own(Trainer.predict(model, [text], { maxLength })))
      const { labels } = model.task as { readonly labels: ReadonlyArray<string> }
      return labels.map((label, i) => ({ label, probability: probabilities![i] }))
        .sort((a, b) => b.probability - a.probability)
    }
    return { ...rest, backend: info.description, predict, close }
  } catch (error) {
    await close()
    throw error
  }
}
