import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { type Dataset, Espalier, Trainer, type TrainEvent } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { data, languageModel, tokenizer } from "../../seams/language_model.ts"

const part = (keep: (i: number) => boolean): Dataset.TextData => ({
  ...data,
  rows: data.rows.filter((_, i) => keep(i)),
})
const fresh = part((i) => i % 3 === 0), old = part((i) => i % 3 !== 0)

/** Runs a program with LoRA. */
const run = <A, E>(program: Effect.Effect<A, E, never>): Promise<A> => Effect.runPromise(program)
const layers = Layer.mergeAll(Llama.layer, Lora.layer({ r: 4 })).pipe(
  Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
)

/** Trains with old rows to judge; the run ends early after `stopAt`, if it is given. */
const train = (options: Trainer.TrainOptions, stopAt = 0) => {
  const events: Array<TrainEvent> = []
  const program = Effect.gen(function* () {
    const model = yield* languageModel
    const before = (yield* Trainer.evaluate(model, old, { tokenizer })).metrics
    const trained = yield* Trainer.fit(model, { train: fresh, validation: part((i) => i % 6 === 0) }, {
      tokenizer,
      batchSize: 4,
      learningRate: 0.02,
      epochs: 4,
      saveEvery: 3,
      ...options,
      observe: (event) => {
        events.push(event)
        return event.type === "step" && event.step === stopAt ? Effect.interrupt : Effect.void
      },
    })
    yield* trained.summarize({})
    yield* trained.report({ title: "A run", facts: {}, evaluations: [], samples: [] })
    const after = (yield* Trainer.evaluate(model, old, { tokenizer })).metrics
    return { trained, before, after, events }
  })
  return run(Effect.scoped(program).pipe(Effect.provide(layers)) as Effect.Effect<Effect.Success<typeof program>>)
}

Deno.test("the table has the scores of old rows before and after, in the run, summary, report and events", async () => {
  const runFolder = `${await Deno.makeTempDir()}/run`
  const { trained, before, after, events } = await train({ retain: { earlier: old }, runFolder })
  assertNotEquals(before, after)
  assertEquals(trained.forgetting, { earlier: { before, after } })
  assertEquals(JSON.parse(await Deno.readTextFile(`${runFolder}/summary.json`)).forgetting, trained.forgetting)
  const judged = events.flatMap((event) =>
    event.type === "evaluation" && event.split !== "validation" ? [[event.split, event.step]] : []
  )
  assertEquals(judged, [["retained/earlier", 0], ["retained/earlier", 8]])
  assertEquals(events.at(-1)?.type, "stop")
  const report = await Deno.readTextFile(`${runFolder}/report.html`)
  const rows = /<h2>Forgetting<\/h2>[^]*?<\/section>/.exec(report)![0]
  const cells = [before.loss, after.loss, after.loss - before.loss].map((value) => value.toFixed(4))
  assertStringIncludes(rows, `earlier: Loss</th>${cells.map((value) => `<td class="number">${value}</td>`).join("")}`)
  assert(!JSON.stringify(JSON.parse(await Deno.readTextFile(`${runFolder}/config.json`))).includes("moon"))
})

Deno.test("a resumed run has the scores from before its first step", async () => {
  const whole = await train({ retain: { earlier: old } })
  const runFolder = `${await Deno.makeTempDir()}/run`
  await train({ retain: { earlier: old }, runFolder }, 4).catch(() => {})
  const resumed = await train({ retain: { earlier: old }, runFolder, resume: true })
  assertEquals(resumed.trained.forgetting, whole.trained.forgetting)
  const error = await train({ retain: { earlier: fresh }, runFolder, resume: true }).catch((error) => error)
  assertStringIncludes(error.message, "its configuration differs in retained.earlier")
})

Deno.test("old rows change nothing of the training, and without them there is no table", async () => {
  const [plain, judged] = [await train({}), await train({ retain: { earlier: old } })]
  assertEquals(plain.after, judged.after)
  assertEquals("forgetting" in plain.trained, false)
})

Deno.test("old rows that are none are an error", async () => {
  const error = await train({ retain: { earlier: { ...old, rows: [] } } }).catch((error) => error)
  assertEquals(error._tag, "TrainingError")
  assertStringIncludes(error.message, 'retain has no rows of ["earlier"]')
})
