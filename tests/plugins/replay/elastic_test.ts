import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { Dataset, Espalier, Model, type Plugins, Task, Trainer } from "@espalier/espalier"
import * as DifferentialPrivacy from "@espalier/espalier/differential-privacy"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Replay from "@espalier/espalier/replay"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { config, data, languageModel, tokenizer } from "../../seams/language_model.ts"

type Methods = Layer.Layer<never, unknown, Plugins.Plugins>
const part = (keep: (i: number) => boolean): Dataset.TextData => ({
  ...data,
  rows: data.rows.filter((_, i) => keep(i)),
})
/** Rows of words that the old ones do not have. */
const fresh = part((i) => i % 3 === 0), old = part((i) => i % 3 !== 0)

/** Runs a program with LoRA, trained before, and methods. */
const run = <A, E, R>(program: Effect.Effect<A, E, R>, methods: Methods): Promise<A> => {
  const lora = Lora.layer({ r: 4, loraDropout: 0.1, initLoraWeights: false })
  const all = Layer.mergeAll(methods, Llama.layer, lora).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)) as Effect.Effect<A>)
}

const common = { tokenizer, batchSize: 4, learningRate: 0.02, saveEvery: 3, epochs: 4, retain: { old } }

/** Trains; the run ends early after `stopAt`, if it is given. Weights before and after. */
const train = (methods: Methods, options: Trainer.TrainOptions = {}, stopAt = 0) =>
  run(
    Effect.gen(function* () {
      const model = yield* languageModel
      const values = Effect.map(
        Model.readParameters(model),
        (all) => all.filter(({ parameter }) => parameter.owner !== "base").flatMap(({ data }) => Array.from(data)),
      )
      const before = yield* values
      const fit = Trainer.fit(model, { train: fresh }, {
        ...common,
        ...options,
        observe: (event) => event.type === "step" && event.step === stopAt ? Effect.interrupt : Effect.void,
      })
      const exit = yield* Effect.exit(fit)
      if (exit._tag === "Failure" && stopAt === 0) return yield* Effect.failCause(exit.cause)
      return { before, after: yield* values }
    }),
    methods,
  )

const elastic = (lambda: number) => Replay.elasticWeights({ lambda }) as unknown as Methods
const moved = ({ before, after }: Awaited<ReturnType<typeof train>>) =>
  Math.hypot(...after.map((value, i) => value - before[i]))

Deno.test("without weight the penalty changes no bit", async () => {
  assertEquals((await train(elastic(0))).after, (await train(Layer.empty)).after)
})

Deno.test("the larger lambda, the less the weights move", async () => {
  const options = { optimizer: Trainer.sgd(), learningRate: 0.01, epochs: 20 }
  const of = async (lambda: number) => moved(await train(elastic(lambda), options))
  const [free, held, fixed] = [await of(0), await of(10), await of(1000)]
  assert(held < 0.8 * free && fixed < 0.1 * free, `${free}, ${held}, ${fixed}`)
})

Deno.test("a run that goes on from an adapter forgets less", async () => {
  const adapter = await Deno.makeTempDir()
  const options = { tokenizer, batchSize: 4, learningRate: 0.02 }
  const withLora = <A, E, R>(program: Effect.Effect<A, E, R>, ...methods: ReadonlyArray<Methods>) => {
    const all = Layer.mergeAll(Llama.layer, ...methods).pipe(
      Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
    )
    return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)) as Effect.Effect<A>)
  }
  await withLora(
    Effect.gen(function* () {
      const model = yield* languageModel
      yield* Trainer.fit(model, { train: old }, { ...options, epochs: 10 })
      yield* Model.saveAdapters(model, adapter)
    }),
    Lora.layer({ r: 4 }) as unknown as Methods,
  )
  const goOn = (lambda: number) =>
    withLora(
      Effect.gen(function* () {
        const model = yield* languageModel
        const run = yield* Trainer.fit(model, { train: fresh }, { ...options, epochs: 10, retain: { old } })
        const { before, after } = run.forgetting!.old
        const learned = (yield* Trainer.evaluate(model, fresh, { tokenizer })).metrics.loss
        return { forgotten: after.loss - before.loss, learned }
      }),
      Lora.fromPeft(adapter) as unknown as Methods,
      elastic(lambda),
    )
  const [free, held] = [await goOn(0), await goOn(1)]
  assert(held.forgotten < 0.8 * free.forgotten, `old rows: ${free.forgotten}, ${held.forgotten}`)
  assert(held.learned < free.learned + 0.1, `new rows: ${free.learned}, ${held.learned}`)
})

Deno.test("a run goes on after a stop as if there was none", async () => {
  const { after } = await train(elastic(50))
  assertNotEquals(after, (await train(Layer.empty)).after)
  for (const stopAt of [1, 5]) {
    const runFolder = `${await Deno.makeTempDir()}/run`
    await train(elastic(50), { runFolder }, stopAt)
    assertEquals((await train(elastic(50), { runFolder, resume: true })).after, after)
    const error = await train(elastic(51), { runFolder, resume: true }).catch((error) => error)
    assertStringIncludes(error.message, "lambda")
  }
})

Deno.test("rows of one of several tasks hold what they reach", async () => {
  const scores = old.rows.map(({ text }, i) => ({ text: text!, size: `${i % 3}` }))
  const size = Dataset.fromRows(scores, { text: "text", scores: ["size"] })
  const weightsOf = (lambda: number) =>
    run(
      Effect.gen(function* () {
        const tasks = { words: Task.causalLM(), size: Task.regression(["size"]) }
        const model = yield* Model.initialize(config, { tasks, seed: 3 })
        const before = yield* Model.readParameters(model)
        const options = { tokenizer, batchSize: 4, maxSteps: 40, learningRate: 0.01, schedule: "constant" } as const
        yield* Trainer.fit(model, { train: { words: fresh, size } }, {
          ...options,
          optimizer: Trainer.sgd(),
          retain: { size },
        })
        const after = yield* Model.readParameters(model)
        return before.flatMap(({ parameter, data }, i) =>
          parameter.trainable === false ? [] : [{ key: parameter.key, data, after: after[i].data }]
        )
      }),
      Replay.elasticWeights({ lambda, rows: ["size"] }) as unknown as Methods,
    )
  const far = (all: Awaited<ReturnType<typeof weightsOf>>) =>
    Math.hypot(...all.flatMap(({ data, after }) => Array.from(after, (value, i) => value - data[i])))
  const [free, held] = [await weightsOf(0), await weightsOf(1000)]
  assert(far(held) < 0.3 * far(free), `${far(free)}, ${far(held)}`)
})

Deno.test("streamed new rows go with old rows in memory", async () => {
  const file = `${await Deno.makeTempDir()}/new.jsonl`
  await Deno.writeTextFile(file, fresh.rows.map(({ text }) => JSON.stringify({ text })).join("\n"))
  const weights = (lambda: number) =>
    run(
      Effect.gen(function* () {
        const model = yield* languageModel
        const train = yield* Dataset.stream(file, { text: "text" })
        yield* Trainer.fit(model, { train }, { tokenizer, batchSize: 4, maxSteps: 4, maxLength: 32, retain: { old } })
        return (yield* Model.readParameters(model)).flatMap(({ data }) => Array.from(data))
      }),
      elastic(lambda),
    )
  assertNotEquals(await weights(100), await weights(0))
})

Deno.test("runs without old rows, and private runs, are refused before training", async () => {
  const refused = async (methods: Methods, options?: Trainer.TrainOptions) => {
    const error = await train(methods, options).catch((error) => error)
    return [error._tag, error.message]
  }
  const [tag, message] = await refused(elastic(1), { retain: { other: old } })
  assertEquals(tag, "TrainingError")
  assertStringIncludes(message, 'retain has no rows of ["old"], only of ["other"]')
  const hidden = DifferentialPrivacy.layer({ targetEpsilon: 8, delta: 1e-3 }) as unknown as Methods
  const [, secret] = await refused(Layer.mergeAll(elastic(1), hidden))
  assertStringIncludes(secret, "without the noise of differential_privacy")
  assertStringIncludes((await refused(elastic(-1)))[1], "lambda must be a number from 0, got -1")
  assertStringIncludes((await refused(Replay.elasticWeights({} as never) as unknown as Methods))[1], "lambda")
  const session = run(Effect.flatMap(languageModel, (model) => Trainer.session(model)), elastic(1))
  assertStringIncludes((await session.catch((error) => error)).message, "train with Trainer.fit and retain")
})
