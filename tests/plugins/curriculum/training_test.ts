/**
 * Runs with a curriculum, by the public exports alone.
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { type Contribution, Dataset, Espalier, Model, Plugins, type Step, Task, Trainer } from "@espalier/espalier"
import * as Curriculum from "@espalier/espalier/curriculum"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { config, data, languageModel, tokenizer } from "../../seams/language_model.ts"
import { rowsOf } from "./support.ts"

type Curricula = Layer.Layer<never, unknown, Plugins.Plugins>

/** Runs a program with LoRA, a curriculum and a contribution. */
const run = <A, E, R>(program: Effect.Effect<A, E, R>, curriculum: Curricula, more?: Contribution): Promise<A> => {
  const own = more === undefined
    ? Layer.empty
    : Layer.effectDiscard(Effect.flatMap(Plugins.Plugins, ({ register }) => register(more)))
  const methods = [
    curriculum,
    own,
    Llama.layer,
    Lora.layer({ r: 4, loraDropout: 0.1, initLoraWeights: false }),
  ] as const
  const all = Layer.mergeAll(...methods).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)) as Effect.Effect<A>)
}

/** Keeps the steps that the plugins before it drew. */
const watching = (drawn: Array<Step>): Contribution => ({
  id: "watching/default",
  after: ["curriculum"],
  requires: { paddedRows: false },
  batches: (next) => ({
    ...next,
    next: (position, feedback) =>
      Effect.map(next.next(position, feedback), (step) => {
        if (step !== undefined) drawn.push(step)
        return step
      }),
  }),
})

const common = { tokenizer, batchSize: 4, learningRate: 0.01, saveEvery: 3 }

/** Trains; the run ends early after `stopAt`, if it is given. */
const train = async (
  curriculum: Curricula,
  options: Trainer.TrainOptions,
  { model = languageModel, train = data as Trainer.TrainingData["train"], stopAt = 0 } = {},
) => {
  const drawn: Array<Step> = []
  const program = Effect.gen(function* () {
    const trained = yield* model
    const fit = Trainer.fit(trained, { train }, {
      ...common,
      ...options,
      observe: (event) => event.type === "step" && event.step === stopAt ? Effect.interrupt : Effect.void,
    })
    const exit = yield* Effect.exit(fit)
    if (exit._tag === "Failure" && stopAt === 0) return yield* Effect.failCause(exit.cause)
    return (yield* Model.readParameters(trained)).flatMap(({ data }) => Array.from(data))
  })
  return { weights: await run(program, curriculum, watching(drawn)), drawn }
}

const refused = (...given: Parameters<typeof train>): Promise<{ readonly _tag: string; readonly message: string }> =>
  train(...given).then(() => Promise.reject(new Error("It did not fail")), (error) => error)

const lengths = data.rows.map(({ text }) => tokenizer.encode(text).length)

for (
  const [name, options] of Object.entries<Curriculum.CurriculumOptions>({
    "by length": { start: 0.3, duration: 8 },
    "the hard ones first, by rarity": { difficulty: "rarity", order: "hard", pacing: "root", start: 0.3 },
    "self-paced": { difficulty: "feedback", pacing: "linear", start: 0.3 },
  })
) {
  Deno.test(`a run with LoRA goes on after a stop as if there was none: ${name}`, async () => {
    const curriculum = () => Curriculum.layer(options)
    const whole = await train(curriculum(), { epochs: 2 })
    assertEquals(whole.drawn.length, 12)
    assertNotEquals(whole.weights, (await train(Layer.empty, { epochs: 2 })).weights)
    for (const stopAt of [4, 9]) {
      const runFolder = `${await Deno.makeTempDir()}/run`
      await train(curriculum(), { epochs: 2, runFolder }, { stopAt })
      const resumed = await train(curriculum(), { epochs: 2, runFolder, resume: true })
      assert(resumed.drawn.length > 0 && resumed.drawn.length < 12)
      assertEquals(resumed.drawn, whole.drawn.slice(-resumed.drawn.length))
      assertEquals(resumed.weights, whole.weights)
      await Deno.remove(runFolder, { recursive: true })
    }
  })
}

Deno.test("the first step has the shortest rows, or the longest", async () => {
  const sorted = lengths.toSorted((a, b) => a - b)
  const [easy, hard] = await Promise.all((["easy", "hard"] as const).map(async (order) => {
    const { drawn } = await train(Curriculum.layer({ order, start: 0.25 }), { epochs: 1 })
    return rowsOf(drawn[0]).map((row) => lengths[row])
  }))
  assert(easy.every((length) => length <= sorted[5]), `${easy}`)
  assert(hard.every((length) => length >= sorted.at(-6)!), `${hard}`)
})

Deno.test("two tasks: difficulties rank within each", async () => {
  const labeled = Dataset.fromRows(
    Array.from({ length: 12 }, (_, i) => ({ text: "sun ".repeat(6 + i).trim(), label: i % 2 === 0 ? "a" : "b" })),
    { text: "text", label: "label" },
  )
  const tasks = { next: Task.causalLM(), kind: Task.classification(["a", "b"]) }
  const model = Model.initialize({ ...config, max_position_embeddings: 64 }, { tasks, seed: 3 })
  const split = { next: data, kind: labeled }
  const options = { start: 0.5, duration: 1000 }
  const { drawn } = await train(Curriculum.layer(options), { epochs: 1 }, { model, train: split })
  assertEquals(drawn.length, 6 + 3)
  const kinds = drawn.flatMap((step) => rowsOf(step, "kind"))
  assertEquals(kinds.toSorted((a, b) => a - b), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
  const median = lengths.toSorted((a, b) => a - b)[12]
  const texts = drawn.flatMap((step) => rowsOf(step, "next"))
  assertEquals(texts.length, 24)
  assert(texts.every((row) => lengths[row] <= median))
})

Deno.test("a column of the data is the difficulty: a reader's, or losses of the base model", async () => {
  const graded = Dataset.fromRows(
    data.rows.map(({ text }, i) => ({ text, grade: `${(i * 5) % 24}` })),
    { text: "text" },
    { numbers: ["grade"] },
  )
  const byGrade = Curriculum.layer({ difficulty: { column: "grade" }, start: 0.25 })
  const { drawn } = await train(byGrade, { epochs: 1 }, { train: graded })
  assert(rowsOf(drawn[0]).every((row) => (row * 5) % 24 < 6))

  const alone = (row: number) => ({ ...data, rows: [data.rows[row]] })
  const [{ losses }, ...single] = await run(
    Effect.flatMap(
      languageModel,
      (model) => Effect.all([data, alone(0), alone(7)].map((rows) => Trainer.evaluate(model, rows, { tokenizer }))),
    ),
    Layer.empty,
  )
  const expected = [losses[0], losses[7]]
  single.forEach(({ metrics: { loss } }, i) => assert(Math.abs(loss / expected[i] - 1) < 1e-6))
  const known = { ...data, rows: data.rows.map((row, i) => ({ ...row, numbers: { loss: losses[i] } })) }
  const byLoss = Curriculum.layer({ difficulty: { column: "loss" }, start: 0.25 })
  const second = await train(byLoss, { epochs: 1 }, { train: known })
  const largest = losses.toSorted((a, b) => a - b)[5]
  assert(rowsOf(second.drawn[0]).every((row) => losses[row] <= largest))
})

Deno.test("what cannot be paced is an error before training", async () => {
  const column = await refused(Curriculum.layer({ difficulty: { column: "grade" } }), { epochs: 1 })
  assertEquals(column._tag, "TrainingError")
  assertStringIncludes(column.message, 'need a number in the column "grade", and they have no columns of numbers')

  const once = await refused(Curriculum.layer({ difficulty: "feedback" }), { epochs: 1 })
  assertEquals(once._tag, "TrainingError")
  assertStringIncludes(once.message, "takes the losses of the first epoch (6 steps), and the run has 6")

  const chunks = {
    async *[Symbol.asyncIterator]() {
      yield await Promise.resolve(data.rows)
    },
  }
  const { rows: _, ...info } = data
  const train = { ...info, chunks, window: 8 } as unknown as Trainer.TrainingData["train"]
  const streamed = await refused(Curriculum.layer(), { maxSteps: 4, maxLength: 8 }, { train })
  assertEquals(streamed._tag, "TrainingError")
  assertStringIncludes(streamed.message, "needs all rows in memory")
})

Deno.test("options that make no sense are errors that say what is allowed", async () => {
  const message = async (...all: ReadonlyArray<object>) => {
    const [first, second = first] = all.map((options) => Curriculum.layer(options))
    const error = await run(Effect.void, Layer.mergeAll(first, second)).then(() => undefined, (error) => error)
    assertEquals(error._tag, "PluginError")
    return error.message
  }
  assertStringIncludes(await message({ duration: 0 }), "duration must be a whole number from 1, got 0")
  assertStringIncludes(await message({ duration: -3 }), "got -3")
  assertStringIncludes(await message({ start: 0 }), "start must be a number above 0 and at most 1, got 0")
  assertStringIncludes(await message({ start: 1.5 }), "got 1.5")
  assertStringIncludes(
    await message({ pacing: "sqrt" }),
    'pacing must be "linear", "root", "step" or "competence", got',
  )
  assertStringIncludes(await message({ difficulty: "size" }), '"length", "rarity", "feedback" or { column: NAME }')
  assertStringIncludes(await message({ stages: 3 }), 'pacing must be "step" where stages are given, got "competence"')
  assertStringIncludes(await message({ pace: 3 }), 'unknown option "pace"; the nearest known one is "pacing"')
  assertStringIncludes(await message({}, { start: 1 }), 'Two plugins have the id "curriculum/default"')
})
