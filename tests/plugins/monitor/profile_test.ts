import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { saveTokenizer, trainBpe } from "../../../core/data/tokenizer/training/train_bpe.ts"
import { load, saveCheckpoint } from "../../../core/model/mod.ts"
import type { Reviewed } from "../../../core/run/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import {
  judged,
  loadProfile,
  monitor,
  monitorPage,
  observe,
  profile,
  saveProfile,
  saveProfiles,
} from "../../../plugins/monitor/mod.ts"
import { embed } from "../../../core/training/embed.ts"
import { evaluate } from "../../../core/training/evaluate.ts"
import { classifier, languageModel, plainTexts, texts, tokenizer } from "../../core/training/support.ts"
import { distance, failure, run } from "../../support/model_layer.ts"
import { onWasm } from "../../support/on_wasm.ts"
import { profileOf } from "./samples.ts"

const options = { tokenizer, maxLength: 24 }

Deno.test("a profile has what evaluation and embedding say of the rows, and no text; live answers have the same", () =>
  onWasm(Effect.gen(function* () {
    const model = yield* classifier()
    const data = texts(60)
    const { sample, labels, maxLength } = yield* profile(model, data, options)
    const own = data.rows.map(({ text }) => text)
    const { predictions, losses } = yield* evaluate(model, data, options)
    assertEquals([labels, maxLength, sample.rows], [["food", "sky"], 24, 60])
    const { columns, embeddings } = sample
    assertEquals([...columns.label], predictions.map(({ label }) => labels.indexOf(label)))
    assertEquals([...columns.confidence], predictions.map(({ probability }) => probability))
    assertEquals([...columns.correct], predictions.map(({ label, expected }) => Number(label === expected)))
    assertEquals([...columns.loss], losses)
    assertEquals([...columns.length], own.map((text) => tokenizer.encode(text, { addSpecialTokens: false }).length))
    assertEquals(embeddings!.values, Float32Array.from((yield* embed(model, own, options)).flatMap((one) => [...one])))
    const mean = own.reduce((sum, _, row) => sum + embeddings!.values[row * 16 + 3] / 60, 0)
    const variance = own.reduce((sum, _, row) => sum + (embeddings!.values[row * 16 + 3] - mean) ** 2 / 59, 0)
    assert(distance([embeddings!.moments!.mean[3], embeddings!.moments!.covariance[3 * 17]], [mean, variance]) < 1e-6)

    const answered = yield* observe(model, own, options)
    const live = answered.map((one, row) => judged(one, labels[data.rows[row].label], labels))
    assertEquals(live.map(({ numbers }) => numbers.correct), [...columns.correct])
    assert(distance(live.map(({ numbers }) => numbers.loss), losses) < 1e-5)
    assertEquals(live.map(({ label }) => label), predictions.map(({ label }) => label))
    assertEquals(live[7].embedding, embeddings!.values.slice(7 * 16, 8 * 16))
    const { observe: take, judge } = yield* monitor({ sample, labels }, {
      window: 15,
      judgedWindow: 15,
      resamples: 1000,
    })
    assertEquals([take(live).length, judge(live).length], [4, 4])
    const some = yield* profile(model, data, { ...options, rows: 40, embeddings: false })
    assertEquals([some.sample.rows, some.sample.embeddings], [40, undefined])
    assertEquals(some.sample.columns.length[1], columns.length[1])
    assertEquals(some.sample.columns.length[2], columns.length[3])
  })))

Deno.test("of a language model a profile has the surprise of the texts", () =>
  onWasm(Effect.gen(function* () {
    const model = yield* languageModel()
    const data = plainTexts(40)
    const { sample: { columns } } = yield* profile(model, data, options)
    assertEquals([...columns.surprise], (yield* evaluate(model, data, options)).losses)
    assertEquals(columns.label, undefined)
    const [{ prediction, observation }] = yield* observe(model, [data.rows[0].text], options)
    assertEquals(prediction, undefined)
    assert(Math.abs(observation.numbers.surprise - columns.surprise[0]) < 1e-5)
  })))

Deno.test("a run leaves a profile of the rows that judge it, if these are enough and it was not trained on them", async () => {
  const directory = await Deno.makeTempDir()
  try {
    await onWasm(Effect.gen(function* () {
      yield* saveCheckpoint(yield* classifier(), `${directory}/model`)
      yield* saveTokenizer(`${directory}/model`, trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 }))
      const model = yield* load(`${directory}/model`, { task: Task.classification(["food", "sky"]) })
      yield* Effect.promise(() => Deno.writeTextFile(`${directory}/own.csv`, ""))
      const told: Array<string> = []
      const reviewed = (part: object, output = directory) =>
        Effect.gen(function* () {
          const tell = (text: string) => Effect.sync(() => void told.push(text))
          const run = { output, training: { maxLength: 24 } }
          const after = yield* saveProfiles({ run, parts: [part], model, tell } as unknown as Reviewed)
          return (yield* after([])).summary
        })
      assertEquals(yield* reviewed({ judging: texts(99), judges: "test" }), undefined)
      assertEquals(yield* reviewed({ judging: texts(120), judges: "training" }), undefined)
      assertEquals(yield* reviewed({ judging: texts(120), judges: "test" }), { profiles: [`${directory}/profile`] })
      assertEquals(yield* loadProfile(`${directory}/profile`), yield* profile(model, texts(120), { maxLength: 24 }))
      // A folder that cannot be is no reason to lose a run.
      assertEquals(yield* reviewed({ judging: texts(120), judges: "test" }, `${directory}/own.csv`), undefined)
      assertEquals(told.map((text) => text.split(":")[0]), ["no profile for monitors"])
    }))
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a saved profile is read as it was; files that are none are typed errors", async () => {
  const folder = await Deno.makeTempDir()
  try {
    const path = `${folder}/profile`
    const whole = { ...profileOf(50), maxLength: 24 }
    await run(Effect.gen(function* () {
      yield* saveProfile(whole, path)
      assertEquals(yield* loadProfile(path), whole)
      yield* saveProfile(whole, path)
    }))
    assertEquals([...Deno.readDirSync(path)].map(({ name }) => name).sort(), ["embeddings.safetensors", "profile.json"])
    const stored = JSON.parse(Deno.readTextFileSync(`${path}/profile.json`))
    const broken = async (change: object, reason = "Profile") => {
      Deno.writeTextFileSync(`${path}/profile.json`, JSON.stringify({ ...stored, ...change }))
      const error = await failure(loadProfile(path))
      assertEquals([error._tag, error.reason], ["MonitorError", reason])
      return error.message
    }
    assertStringIncludes(await broken({ version: 2 }), "version is 2, known is 1")
    assertStringIncludes(await broken({ rows: 49 }), 'the column "length" must have 49 finite numbers')
    assertStringIncludes(await broken({ columns: { loss: Array(50).fill(null) } }), 'the column "loss"')
    assertStringIncludes(await broken({ labels: [1] }), "labels is no list of texts")
    assertStringIncludes(await broken({ width: 9 }), "embeddings must be [50,9], it is [50,8]")
    Deno.writeTextFileSync(`${path}/profile.json`, "{")
    assertEquals((await failure(loadProfile(path)))._tag, "JsonError")
    assertEquals((await failure(loadProfile(`${folder}/none`)))._tag, "StorageError")
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
})

Deno.test("the page has a table and curves of windows, retrains, and no markup from outside", () => {
  const report = (window: number, value: number, alarms: ReadonlyArray<string>) => ({
    type: "window" as const,
    report: { kind: "live" as const, window, rows: 50, values: { "ks length": value, "psi label": 0.01 }, alarms },
  })
  const page = monitorPage({
    title: "Spam <filter>",
    thresholds: { "ks length": 0.25, "psi label": Infinity },
    events: [
      { type: "opened", serving: { name: "first", folder: "a" }, at: "2026-01-01" },
      report(1, 0.1, []),
      report(2, 0.6, ["ks length"]),
      { type: "asked", why: "live window 2: <ks length>" },
      { type: "failed", id: 1, message: "<b>no room</b>" },
    ],
  })
  assertStringIncludes(page, "Spam &lt;filter&gt;")
  assertStringIncludes(page, "Windows: 2, with an alarm: 1")
  assertStringIncludes(page, '<th scope="row">threshold</th><td class="number"></td><td class="number">0.2500</td>')
  assertStringIncludes(page, '<td class="number">ks length</td><td class="number">0.6000</td>')
  assertStringIncludes(page, "retrain 1 failed: &lt;b&gt;no room&lt;/b&gt;")
  assertStringIncludes(page, "asked for a retrain: live window 2: &lt;ks length&gt;")
  assertEquals(page.match(/<svg/g)?.length, 2)
  // The threshold is a line of one of the two charts.
  assertEquals(page.match(/<g class="validation">/g)?.length, 1)
  assertStringIncludes(monitorPage({ title: "Empty", events: [], thresholds: {} }), "None.")
})
