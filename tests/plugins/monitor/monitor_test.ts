import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import {
  type Monitor,
  monitor,
  type MonitorOptions,
  profileFrom,
  type Statistic,
} from "../../../plugins/monitor/mod.ts"
import { LABELS, observations, profileOf, type World } from "./samples.ts"

const made = (seed: number, options: MonitorOptions = {}): Monitor =>
  Effect.runSync(
    monitor(profileOf(400, seed), { window: 50, judgedWindow: 50, falseAlarms: 0.05, resamples: 600, ...options }),
  )

Deno.test("windows without drift have the share of alarms that is asked for, live and judged", () => {
  const counts = { live: 0, judged: 0 }
  for (let seed = 1; seed <= 10; seed++) {
    const { observe, judge } = made(seed, { window: 25, judgedWindow: 25 })
    for (
      const { kind, alarms } of [...observe(observations(1000, 1000 + seed)), ...judge(observations(1000, 2000 + seed))]
    ) {
      if (alarms.length > 0) counts[kind]++
    }
  }
  // 20 of 400 windows are asked for; a binomial count is beyond these in one of 10,000 cases.
  assert(counts.live >= 5 && counts.live <= 40, `live: ${counts.live} of 400`)
  assert(counts.judged >= 5 && counts.judged <= 40, `judged: ${counts.judged} of 400`)
})

Deno.test("embeddings of nearly as many numbers as the profile has rows give no more false alarms", () => {
  let alarms = 0
  for (let seed = 1; seed <= 10; seed++) {
    const options = { window: 25, falseAlarms: 0.05, resamples: 600, statistics: ["mean embedding", "mmd embedding"] }
    const { observe } = Effect.runSync(monitor(profileOf(120, seed, { width: 100 }), options))
    const reports = observe(observations(500, 3000 + seed, { width: 100 }))
    alarms += reports.filter((report) => report.alarms.length > 0).length
  }
  // 10 of 200 windows are asked for.
  assert(alarms >= 1 && alarms <= 25, `${alarms} of 200`)
})

Deno.test("each drift is seen by the statistics that it is about", () => {
  const { observe, judge } = made(1)
  const alarms = (take: Monitor["observe"], world: World) => take(observations(50, 77, world))[0].alarms
  assertEquals(alarms(observe, {}), [])
  assertEquals(alarms(observe, { share: 0.8 }), ["psi label"])
  assertEquals(alarms(observe, { shift: 1 }), ["mmd embedding", "mean embedding"])
  assertEquals(alarms(judge, {}), [])
  assertEquals(alarms(judge, { right: 0.3 }), ["accuracy", "ece", "ks loss"])
})

Deno.test("a column of one value has the threshold of the asymptotic distribution, other statistics of it none", () => {
  const { thresholds, observe } = made(3, { statistics: ["ks unknown", "psi unknown"] })
  // scipy: kstwobign.isf(0.025) * sqrt(1 / 50 + 1 / 400)
  assert(Math.abs(thresholds["ks unknown"] - 0.2220) < 1e-4, String(thresholds["ks unknown"]))
  assertEquals(thresholds["psi unknown"], Infinity)
  const unknown = (count: number) =>
    observations(50, 5).map((one, i) => ({ ...one, numbers: { ...one.numbers, unknown: i < count ? 0.5 : 0 } }))
  assertEquals(observe([...unknown(11), ...unknown(12)]).map(({ alarms }) => alarms), [[], ["ks unknown"]])
})

Deno.test("windows are those rows in their order, whatever pieces they come in, with their numbers", () => {
  const rows = observations(120, 9)
  const whole = made(2).observe(rows)
  assertEquals(whole.map(({ window, rows, kind }) => [window, rows, kind]), [[1, 50, "live"], [2, 50, "live"]])
  const { observe } = made(2)
  const pieces = [rows.slice(0, 3), rows.slice(3, 49), rows.slice(49, 101), rows.slice(101)].flatMap(observe)
  assertEquals(pieces, whole)
  const size: Statistic = {
    name: "size",
    columns: ["length"],
    prepare: () => ({
      measure: ({ columns }) => columns.length.reduce((a, b) => a + b),
      split: ({ length }) => length,
    }),
  }
  const [own] = made(2, { statistics: [size, "ks length"] }).observe(rows)
  assertEquals(own.values.size, rows.slice(0, 50).reduce((sum, { numbers }) => sum + numbers.length, 0))
  assertEquals(own.values["ks length"], whole[0].values["ks length"])
})

Deno.test("what cannot be watched is a typed error before any work", () => {
  const failure = (options: MonitorOptions, rows = 400) =>
    Effect.runSync(Effect.flip(monitor(profileOf(rows), options)))
  const cases: ReadonlyArray<readonly [MonitorOptions, reason: string, part: string]> = [
    [{ window: 101 }, "Window", "a window of 101 live rows needs a profile of at least 404 rows, this one has 400"],
    [
      { judgedWindow: 200 },
      "Window",
      "a window of 200 judged rows needs a profile of at least 800 rows, this one has 400",
    ],
    [{ statistics: ["ks lenght"] }, "Statistic", 'unknown statistic "ks lenght"; the nearest known one is "ks length"'],
    [{ statistics: ["ks surprise"] }, "Statistic", "reads surprise, which the profile lacks; it has length, unknown"],
    [{ statistics: [] }, "Options", "at least one"],
    [{ falseAlarms: 0 }, "Options", "falseAlarms must be a number above 0"],
    [{ falseAlarms: 0.001 }, "Options", "resamples must be at least 10000"],
    [{ window: 2 }, "Options", "window must be a whole number from 10"],
    [{ widnow: 50 } as MonitorOptions, "Options", 'the nearest known one is "window"'],
  ]
  for (const [options, reason, part] of cases) {
    const error = failure(options)
    assertEquals([error._tag, error.reason], ["MonitorError", reason])
    assertStringIncludes(error.message, part)
  }
  const few = Effect.runSync(Effect.flip(profileFrom(observations(39, 1), { labels: LABELS })))
  assertStringIncludes(few.message, "at least 40 rows, got 39")
})

Deno.test("an observation without what a statistic reads is refused, with all that came along", () => {
  const { observe } = made(1)
  const rows = observations(50, 3)
  const wrong = (change: object) => {
    try {
      observe([...rows.slice(1), { ...rows[0], ...change }])
    } catch (error) {
      return (error as Error).message
    }
    throw new Error("it was taken")
  }
  assertStringIncludes(wrong({ embedding: undefined }), "observation 50 has no embedding")
  assertStringIncludes(wrong({ embedding: new Float32Array(7) }), "has an embedding of 7 numbers, others have 8")
  assertStringIncludes(wrong({ numbers: { ...rows[0].numbers, length: NaN } }), "observation 50 has as length NaN")
  assertStringIncludes(wrong({ label: undefined }), "label")
  assertEquals(observe(rows).length, 1)
})
