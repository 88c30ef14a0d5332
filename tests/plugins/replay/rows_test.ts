import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert"
import {
  type BatchContext,
  type BatchSource,
  type Dataset,
  Espalier,
  Model,
  type Plugins,
  Trainer,
} from "@espalier/espalier"
import * as Curriculum from "@espalier/espalier/curriculum"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Multitask from "@espalier/espalier/multitask"
import * as Replay from "@espalier/espalier/replay"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { makeBatchSource } from "../../../core/data/batches/batch_source.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { replayedRows } from "../../../plugins/replay/rows.ts"
import { resolveRowsOptions } from "../../../plugins/replay/rows_options.ts"
import { data, languageModel, tokenizer } from "../../seams/language_model.ts"
import { rowsOf, stepAt } from "../curriculum/support.ts"

/** Replay over the usual source of tasks with these numbers of rows. */
function sourceOf(
  tasks: Readonly<Record<string, number>>,
  options: Replay.RowsOptions,
  { seed = 1, accumulation = 1 } = {},
): BatchSource {
  const examples = Object.fromEntries(
    Object.entries(tasks).map(([task, count]) => [
      task,
      Array.from(
        { length: count },
        (_, row) => ({ tokens: new Int32Array(row % 9 + 1), fields: {}, index: row, row: row + 1 }),
      ),
    ]),
  )
  const inner = makeBatchSource(
    Object.fromEntries(Object.entries(examples).map(([task, examples]) => [task, { examples }])),
    { batchSize: 4, accumulation, maxLength: 64, seed },
  )
  const run: BatchContext = {
    examples,
    totalSteps: (source) => source.steps(0),
    rng: (stream) => makeRng(seed, 77, stream),
  }
  return replayedRows(resolveRowsOptions(options), inner, run)
}

const sorted = (rows: ReadonlyArray<number>) => rows.toSorted((a, b) => a - b)

Deno.test("an epoch has every new row once, and its share of steps of a sample of old rows", () => {
  const source = sourceOf({ new: 62, old: 40 }, { share: 0.2, keep: 6 }, { accumulation: 2 })
  assertEquals(source.steps(0), 10)
  const seen: Array<number> = []
  for (const epoch of [0, 1, 2]) {
    const steps = Array.from({ length: 10 }, (_, step) => stepAt(source, 10 * epoch + step))
    assertEquals(sorted(steps.flatMap((step) => rowsOf(step, "new"))), Array.from({ length: 62 }, (_, i) => i))
    const old = steps.map((step) => rowsOf(step, "old"))
    assertEquals(old.map(({ length }) => length), [0, 0, 0, 0, 8, 0, 0, 0, 0, 8])
    seen.push(...old.flat())
  }
  assertEquals(new Set(seen).size, 6)
  // Pass by pass: 48 rows are eight passes over six.
  for (let at = 0; at < 48; at += 6) assertEquals(new Set(seen.slice(at, at + 6)).size, 6)
  const other = sourceOf({ new: 62, old: 40 }, { share: 0.2, keep: 6 }, { accumulation: 2, seed: 2 })
  assertNotEquals(sorted([...new Set(seen)]), sorted([...new Set(rowsOf(stepAt(other, 4), "old"))]))
})

Deno.test("several old tasks take turns, and a step does not depend on the steps before", () => {
  const tasks = { new: 16, a: 9, b: 5 }, options = { tasks: ["a", "b"], share: 0.5 }
  const source = sourceOf(tasks, options)
  const names = Array.from({ length: 16 }, (_, step) => stepAt(source, step).microBatches[0].task)
  assertEquals(names.filter((name) => name !== "new"), ["a", "b", "a", "b", "a", "b", "a", "b"])
  for (const step of [13, 6, 7]) assertEquals(stepAt(sourceOf(tasks, options), step), stepAt(source, step))
})

Deno.test("rows that nothing new, or nothing old, has are errors", () => {
  const refused = (...given: Parameters<typeof sourceOf>) => assertThrows(() => sourceOf(...given), Error).message
  assertStringIncludes(refused({ new: 4 }, {}), 'the training split has no rows of ["old"], only of ["new"]')
  assertStringIncludes(refused({ old: 4 }, {}), 'all rows are old ones, ["old"]')
  assertStringIncludes(refused({ new: 4, old: 4 }, { share: 1 }), "share must be a number above 0 and below 1, got 1")
  assertStringIncludes(refused({ new: 4, old: 4 }, { keep: 0 }), "keep must be a whole number from 1, got 0")
  assertStringIncludes(refused({ new: 4, old: 4 }, { taks: [] } as object), 'the nearest known one is "tasks"')
})

type Methods = Layer.Layer<never, unknown, Plugins.Plugins>
const part = (keep: (i: number) => boolean): Dataset.TextData => ({
  ...data,
  rows: data.rows.filter((_, i) => keep(i)),
})
/** Rows of words that the old ones do not have. */
const fresh = part((i) => i % 3 === 0), old = part((i) => i % 3 !== 0)

/** Runs a program with LoRA and methods. */
const run = <A, E, R>(program: Effect.Effect<A, E, R>, methods: Methods): Promise<A> => {
  const all = Layer.mergeAll(methods, Llama.layer, Lora.layer({ r: 4, loraDropout: 0.1 })).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)) as Effect.Effect<A>)
}

const common = { tokenizer, batchSize: 4, learningRate: 0.02, saveEvery: 3 }

/** Trains; the run ends early after `stopAt`, if it is given. Weights, and the loss on old rows. */
const train = (methods: Methods, options: Trainer.TrainOptions, split: Trainer.TrainingData["train"], stopAt = 0) =>
  run(
    Effect.gen(function* () {
      const model = yield* languageModel
      const fit = Trainer.fit(model, { train: split }, {
        ...common,
        ...options,
        observe: (event) => event.type === "step" && event.step === stopAt ? Effect.interrupt : Effect.void,
      })
      const exit = yield* Effect.exit(fit)
      if (exit._tag === "Failure" && stopAt === 0) return yield* Effect.failCause(exit.cause)
      const weights = (yield* Model.readParameters(model)).flatMap(({ data }) => Array.from(data))
      return { weights, loss: (yield* Trainer.evaluate(model, old, { tokenizer })).metrics.loss }
    }),
    methods,
  )

const replay = (options: Replay.RowsOptions = {}) =>
  Replay.rows({ share: 0.4, keep: 8, ...options }) as unknown as Methods
const both = { fresh, old }

Deno.test("old rows keep a model of one task from forgetting them", async () => {
  const { loss: without } = await train(Layer.empty, { epochs: 20 }, fresh)
  const { loss: kept } = await train(replay(), { epochs: 20 }, both)
  assert(kept < without - 0.5, `the loss on old rows: ${without} without, ${kept} with`)
})

Deno.test("a run with old rows goes on after a stop as if there was none", async () => {
  const { weights, loss } = await train(replay(), { epochs: 4 }, both)
  for (const stopAt of [4, 9]) {
    const runFolder = `${await Deno.makeTempDir()}/run`
    await train(replay(), { epochs: 4, runFolder }, both, stopAt)
    const resumed = await train(replay(), { epochs: 4, runFolder, resume: true }, both)
    assertEquals(resumed.weights, weights)
    assertAlmostEquals(resumed.loss, loss, 0)
    const error = await train(replay({ keep: 7 }), { epochs: 4, runFolder, resume: true }, both).catch((error) => error)
    assertStringIncludes(error.message, "settings.replay-rows/default.keep (was 8, is 7)")
  }
})

Deno.test("batches that another plugin orders are an error before training", async () => {
  for (const other of [Curriculum.layer(), Multitask.layer()]) {
    const methods = Layer.mergeAll(replay(), other as unknown as Methods)
    const error = await train(methods, {}, both).then(() => undefined, (error) => error)
    assertEquals(error?._tag, "TrainingError")
    assertStringIncludes(error.message, "replay-rows/default: it puts old rows between the steps of the trainer")
  }
})
