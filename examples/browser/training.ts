/**
 * What the page does with a file, without the page.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
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
  /** Column of the texts. */
  readonly text: string
  /** Column of the labels; without one the model learns to write such texts. */
  readonly label?: string
  readonly epochs: number
  readonly rank: number
  readonly learningRate: number
  /** Told what goes on: a sentence, or an event of the training. */
  readonly onStatus: (sentence: string) => void
  readonly onEvent: (event: TrainEvent) => void
  /** Stops it. */
  readonly signal: AbortSignal
}

/** What a training leaves. */
export interface Trained {
  /** One line: what it was computed on. */
  readonly backend: string
  /** Labels of a classifier; empty where it learned to write. */
  readonly labels: ReadonlyArray<string>
  /** Metrics of rows that were not trained on. */
  readonly before: Readonly<Record<string, number>>
  readonly after: Readonly<Record<string, number>>
  /** The adapter's files by name, and as a ZIP archive. */
  readonly files: Readonly<Record<string, Uint8Array>>
  readonly adapter: Uint8Array<ArrayBuffer>
  /** The report as HTML. */
  readonly report: Uint8Array<ArrayBuffer>
}

const RUN = "run", ADAPTER = "adapter"
const maxLength = 128

const work = (order: Order) =>
  Effect.gen(function* () {
    const { files, text, label, epochs, learningRate, onStatus, onEvent } = order
    const { info } = yield* Backend
    const columns = label === undefined ? { text } : { text, label }
    const data = yield* Dataset.file(order.data, columns).pipe(Dataset.split({ validation: 0.1, test: 0.2, seed: 42 }))
    onStatus(`Loading the model; ${info.description}`)
    const task = label === undefined ? Task.causalLM() : Task.classification(data.labels)
    const model = yield* Model.load(order.model, { task })
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
      // Texts one after the other, with the token that ends them: so the model learns where a text ends.
      packing: label === undefined,
      batchSize: 16,
      warmupRatio: 0.06,
      runFolder: RUN,
      saveEvery: "never",
      observe: (event) => Effect.sync(() => onEvent(event)),
    })
    onStatus("Judging the trained model")
    const after = yield* judge
    yield* run.save(ADAPTER)
    yield* run.report({
      title: `LoRA on ${order.data}`,
      facts: { data: order.data, task: task.kind },
      evaluations: [{ name: "before", metrics: before.metrics }, { name: "after", metrics: after.metrics }],
      ...(after.classification === undefined ? {} : { classification: after.classification }),
      division: data,
      samples: after.predictions.map(({ label, ...rest }) => ({ ...rest, predicted: label })),
    })
    const saved = [...files].filter(([path]) => path.startsWith(`${ADAPTER}/`))
    const archive = Stream.fromIterable(saved.map(([path, bytes]) => Zip.file(path, bytes))).pipe(
      Stream.pipeThroughChannel(Zip.encode()),
    )
    return {
      backend: info.description,
      labels: data.labels,
      before: before.metrics,
      after: after.metrics,
      files: Object.fromEntries(saved.map(([path, bytes]) => [path.slice(ADAPTER.length + 1), bytes])),
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

/** Trains, and gives all memory back. The promise is rejected with an error for people. */
export function train(order: Order): Promise<Trained> {
  const methods = Lora.layer({ r: order.rank, loraAlpha: 2 * order.rank, targetModules: "all-linear" })
  const layer = Layer.mergeAll(methods, Llama.layer).pipe(
    Layer.provideMerge(Espalier.layerWith({ files: order.files })),
  )
  return Effect.runPromise(work(order).pipe(Effect.scoped, Effect.provide(layer)), { signal: order.signal })
}
