/**
 * What every runtime does: loads the included model, takes five LoRA steps on a few messages, saves the adapter, loads
 * it again and predicts, by the core API and by the entry point for inference, which writes a text too. It knows no more than
 * the package's public entry points.
 * @module
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { Backend, Dataset, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import { load, type LoadOptions } from "@espalier/espalier/inference"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"

/** Where things lie, and on what to run. */
export interface SuitePlace {
  /** The model's directory. */
  readonly model: string
  /** The messages: a TSV file with the columns `Label` and `SMS`. */
  readonly data: string
  /** Where the adapter goes. */
  readonly adapter: string
  /** What to compute on. */
  readonly backend: "wasm" | "webgpu"
  /** False leaves the flags of the process alone. */
  readonly setFlags?: boolean
  /** Files in memory, where there is no disk. */
  readonly files?: Map<string, Uint8Array>
}

/** What a runtime found. */
export interface SuiteOutcome {
  /** What it ran on. */
  readonly backend: string
  /** Losses of the five steps. */
  readonly losses: ReadonlyArray<number>
  /** Probabilities of the first label for a few messages: before training, after it, and by the adapter loaded again. */
  readonly before: ReadonlyArray<number>
  readonly after: ReadonlyArray<number>
  readonly reloaded: ReadonlyArray<number>
  /** By the entry point for inference: before, and by the adapter. */
  readonly inferred: ReadonlyArray<readonly [before: number, after: number]>
  /** What the model writes, by the core API and by that entry point. */
  readonly texts: readonly [string, string]
  /** Seconds in all. */
  readonly seconds: number
}

/** What the model continues. */
const PROMPT = "The king"

const MESSAGES = [
  "Are we still meeting for lunch today?",
  "WINNER! Call now to claim your free prize, text YES to 80086",
  "I will be home in ten minutes",
]

/** Runs it. */
export async function suite(
  { model: directory, data, adapter, backend, setFlags = true, files }: SuitePlace,
): Promise<SuiteOutcome> {
  const begin = performance.now()
  // Where a runtime has further memories, such as all but Node 20, the frozen weights lie there.
  const wasm = { setFlags, frozenBytes: [0, 2 ** 26] } as const
  const base = Espalier.layerWith({ backend, wasm, ...(files === undefined ? {} : { files }) })
  const options = { maxLength: 64 }
  const task = Task.classification(["ham", "spam"])
  const judge = (model: Model.Model) =>
    Effect.map(Trainer.predict(model, MESSAGES, options), (all) => all.map(({ probabilities }) => probabilities![0]))

  const train = Effect.scoped(Effect.gen(function* () {
    const all = yield* Dataset.file(data, { text: "SMS", label: "Label" })
    // As many as a step takes, so that all steps see the same messages and the loss falls.
    const rows = [0, 1].flatMap((label) => all.rows.filter((row) => row.label === label).slice(0, 8))
    const model = yield* Model.load(directory, { task, seed: 1 })
    const before = yield* judge(model)
    const losses: number[] = []
    const run = yield* Trainer.fit(model, { train: { ...all, rows } }, {
      ...options,
      maxSteps: 5,
      batchSize: rows.length,
      learningRate: 2e-3,
      schedule: "constant",
      seed: 1,
      observe: (event) => Effect.sync(() => void (event.type === "step" && losses.push(event.loss))),
    })
    const after = yield* judge(model)
    yield* run.save(adapter)
    return { backend: (yield* Backend).info.description, losses, before, after }
  }))
  const again = Effect.scoped(Effect.flatMap(Model.load(directory, { task, seed: 2 }), judge))
  const writing = Effect.scoped(Effect.flatMap(
    Model.load(directory, { task: Task.causalLM(), frozen: true }),
    (model) => Model.generate(model, PROMPT, { maxNewTokens: 20 }),
  ))
  const filesIn = (folder: string) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const names = yield* fs.readDirectory(folder)
      const contents = yield* Effect.all(names.map((name) => fs.readFile(`${folder}/${name}`)))
      return Object.fromEntries(names.map((name, i) => [name, contents[i]]))
    })

  const methods = Lora.layer({ r: 8, loraAlpha: 16, targetModules: "all-linear" })
  const first = await Effect.runPromise(
    Effect.provide(train, Layer.mergeAll(methods, Llama.layer).pipe(Layer.provideMerge(base))),
  )
  const saved = Layer.mergeAll(Lora.fromPeft(adapter), Llama.layer).pipe(Layer.provideMerge(base))
  const reloaded = await Effect.runPromise(Effect.provide(again, saved))
  const text = await Effect.runPromise(Effect.provide(writing, Llama.layer.pipe(Layer.provideMerge(base))))
  const own = await Effect.runPromise(Effect.provide(Effect.all([filesIn(directory), filesIn(adapter)]), base))
  const inferred = await infer(own, { backend, wasm })
  const seconds = (performance.now() - begin) / 1000
  return { ...first, reloaded, ...inferred, texts: [text, inferred.text], seconds }
}

/** The same by the entry point for inference. */
async function infer(
  [model, adapter]: ReadonlyArray<Readonly<Record<string, Uint8Array>>>,
  options: LoadOptions,
): Promise<Pick<SuiteOutcome, "inferred"> & { readonly text: string }> {
  const classifier = await load(model, { ...options, labels: ["ham", "spam"] })
  await classifier.adapter("trained", adapter)
  const judge = async (choice: { readonly adapter?: string }) =>
    (await classifier.classify(MESSAGES, { ...choice, maxLength: 64 })).map(({ probabilities }) => probabilities![0])
  const before = await judge({})
  const after = await judge({ adapter: "trained" })
  await classifier.free()
  const writer = await load(model, options)
  let text = ""
  for await (const piece of writer.generate(PROMPT, { maxNewTokens: 20 })) text += piece
  await writer.free()
  return { inferred: after.map((value, i) => [before[i], value] as const), text }
}
