import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { type Dataset, Espalier, Model, type Plugins, Trainer } from "@espalier/espalier"
import * as DifferentialPrivacy from "@espalier/espalier/differential-privacy"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Replay from "@espalier/espalier/replay"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { data, languageModel, tokenizer } from "../../seams/language_model.ts"

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
