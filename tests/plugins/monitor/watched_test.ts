import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { monitor, monitorPage, observe, profile, watched } from "../../../plugins/monitor/mod.ts"
import * as Server from "../../../plugins/server/mod.ts"
import { classifier, texts, tokenizer } from "../../core/training/support.ts"
import { onWasm } from "../../support/on_wasm.ts"
import { scripted } from "../server/scripted.ts"

const options = { tokenizer, maxLength: 24 }
const WATCH = { window: 15, judgedWindow: 15, resamples: 1000 }

/** Waits until something holds, some seconds at most. */
const until = (holds: () => boolean) =>
  Effect.gen(function* () {
    for (let i = 0; i < 500 && !holds(); i++) yield* Effect.sleep(10)
    assert(holds(), "it did not come about")
  })

Deno.test("a watched classifier answers as before, and its windows are those of the answers", () => {
  const logged: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void logged.push(`${logLevel}: ${message}`))
  return onWasm(
    Effect.gen(function* () {
      const model = yield* classifier()
      const data = texts(60)
      const reference = yield* profile(model, data, options)
      const plain = yield* Server.classifier(model, { name: "filter", ...options })
      const one = yield* watched(plain, model, reference, { ...WATCH, tokenizer })
      const own = data.rows.map(({ text }) => text)
      const answers = yield* one.served.classifies!(own.slice(0, 20))
      assertEquals(answers, yield* plain.classifies!(own.slice(0, 20)))
      const more = yield* one.served.classifies!(own.slice(20, 32))
      yield* until(() => one.windows().length === 2)
      const beside = yield* monitor(reference, WATCH)
      // The same answers to the last bit: the profile is of these rows, and rounding would part them from it.
      const predictions = [...answers.results, ...more.results].slice(0, 30)
      const seen = yield* observe(model, own.slice(0, 30), { ...options, predictions })
      const expected = beside.observe(seen.map(({ observation }) => observation))
      const reports = () => one.windows().map((event) => event.type === "window" ? event.report : undefined)
      assertEquals(reports(), [...expected])
      assertEquals(one.thresholds, beside.thresholds)
      assertEquals(logged, [])
      for (let i = 0; i < 2; i++) yield* one.served.classifies!(Array(15).fill("ooo eee xxx ".repeat(8)))
      yield* until(() => one.windows().length === 4)
      assert(reports().slice(-2).every((report) => report!.alarms.includes("ks length")))
      assertEquals(logged.length, 2)
      assertStringIncludes(logged[0], "Warn: filter: window 3 has an alarm: ")
      assertStringIncludes(
        monitorPage({ ...one, title: "Filter", events: one.windows() }),
        "Windows: 4, with an alarm: 2",
      )
    }).pipe(Effect.provide(Logger.layer([logger]))),
  )
})

Deno.test("an adapter is watched by its own answers; more than can wait are passed over", () =>
  onWasm(Effect.gen(function* () {
    const model = yield* classifier()
    const data = texts(60)
    const { sample, ...about } = yield* profile(model, data, options)
    const plain = yield* Server.classifier(model, { name: "filter", ...options })
    const labels = ["an", "other"]
    const classifies: typeof plain.classifies = (texts) => plain.classifies!(texts)
    const more = { ...WATCH, tokenizer, adapter: "own", statistics: ["ks length"] }
    const one = yield* watched({ ...plain, classifies }, model, { ...about, labels, sample }, { ...more, waiting: 16 })
    const own = data.rows.map(({ text }) => text)
    yield* one.served.classifies!(own)
    yield* one.served.classifies!(own, "other")
    yield* Effect.sleep(50)
    assertEquals([one.name, one.windows().length], ["own", 0])
    yield* one.served.classifies!(own, "own")
    yield* until(() => one.windows().length === 1)
    yield* Effect.sleep(50)
    assertEquals(one.windows().length, 1)
  })))

Deno.test("what is no classifier, another model's profile, and wrong options are refused", () =>
  onWasm(Effect.gen(function* () {
    const model = yield* classifier()
    const reference = yield* profile(model, texts(60), options)
    const plain = yield* Server.classifier(model, { name: "filter", ...options })
    const refused = (...given: Parameters<typeof watched>) =>
      Effect.map(Effect.flip(watched(...given)), ({ reason, message }) => `${reason}: ${message}`)
    assertStringIncludes(yield* refused(scripted().served, model, reference), "Options: script is no classifier")
    assertStringIncludes(
      yield* refused(plain, model, { ...reference, labels: ["a", "b"] }),
      'Profile: the profile is of ["a","b"], filter answers ["food","sky"]',
    )
    assertStringIncludes(yield* refused(plain, model, reference, { waiting: 0 }), "waiting")
    assertStringIncludes(yield* refused(plain, model, reference, { window: 16 }), "Window: a window of 16")
  })))
