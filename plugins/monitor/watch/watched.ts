import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { TOKENIZER } from "../../../core/inference/tokenizer_option.ts"
import type { Model } from "../../../core/model/model.ts"
import { faultsOf, field, type OptionTable, withDefaults } from "../../../core/options/mod.ts"
import type { Prediction } from "../../../core/tasks/task.ts"
import type { Reads, Served } from "../../server/mod.ts"
import { MonitorError, refuse } from "../monitor_error.ts"
import { observe } from "../profile/observe.ts"
import type { Profile } from "../profile/profile.ts"
import { EMBEDDING } from "../profile/sample.ts"
import type { Happened } from "../retrain/events.ts"
import { type Monitor, monitor, type WindowReport } from "./monitor.ts"
import { MONITOR_OPTIONS, type MonitorOptions } from "./options.ts"

/** Options of {@link watched}. */
export interface WatchOptions extends MonitorOptions {
  /** Name of the adapter whose answers are watched. Default: the model without one. */
  readonly adapter?: string
  /** Answers that wait until they are looked at; more are passed over. Default 1000. */
  readonly waiting?: number
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
}

/** {@link WatchOptions} as a table. */
export const WATCH_OPTIONS: OptionTable<WatchOptions, "statistics" | "adapter" | "tokenizer"> = {
  ...MONITOR_OPTIONS,
  adapter: field.text({ absent: "the model without one", doc: "Name of the adapter whose answers are watched" }),
  waiting: field.integer({ minimum: 1, default: 1000, doc: "Answers that wait until they are looked at" }),
  tokenizer: TOKENIZER,
}

/** A classifier whose answers are watched. */
export interface Watched {
  /** What is served in its place. */
  readonly served: Served
  /** Its name in the field `model`, or that of its adapter. */
  readonly name: string
  /** Thresholds of the monitor. */
  readonly thresholds: Monitor["thresholds"]
  /** The windows so far, the last 1,000 of them, for {@link monitorPage}. */
  readonly windows: () => ReadonlyArray<Happened & { readonly at: string }>
}

/** Windows that are kept. */
const MOST_WINDOWS = 1000
/** Answers that are looked at together. */
const TOGETHER = 32

const windowsTotal = Metric.counter("espalier_monitor_windows_total", {
  description: "Full windows of a monitor, with and without an alarm",
  incremental: true,
})
const passedOver = Metric.counter("espalier_monitor_passed_over_total", {
  description: "Answers that came faster than a monitor looks at them",
  incremental: true,
})

interface Seen {
  readonly text: string
  readonly prediction: Prediction
}

/**
 * Watches the answers of a served classifier (`Server.classifier`), or of one of its adapters, beside a profile. Clients do not
 * wait for it: answers are looked at afterwards, and those that come faster are passed over and counted. A window with an alarm
 * is told to the log. No text is kept.
 *
 * @param model The model that is served; embeddings are computed with it, where statistics read them.
 * @param profile Of the run that trained the classifier or the adapter.
 *
 * Fails as {@link monitor} does, and with {@link MonitorError} `Profile` where the labels are not those of the model.
 */
export function watched(
  served: Served,
  model: Model,
  profile: Profile,
  options: WatchOptions = {},
): Effect.Effect<Watched, MonitorError, Scope.Scope | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { waiting, adapter, classifies } = yield* attempt(
      () => checked(served, model, profile, options),
      MonitorError,
    )
    const { adapter: _, waiting: __, tokenizer, ...own } = options
    const one = yield* monitor(profile, own)
    const name = adapter ?? served.id
    const queue = yield* Queue.dropping<Seen>(waiting)
    const windows: Array<Happened & { readonly at: string }> = []
    const { maxLength } = profile
    const look = (seen: ReadonlyArray<Seen>) =>
      Effect.gen(function* () {
        const answered = yield* observe(model, seen.map(({ text }) => text), {
          predictions: seen.map(({ prediction }) => prediction),
          embeddings: one.columns.has(EMBEDDING),
          ...adapter === undefined ? {} : { adapters: seen.map(() => adapter), adapted: true },
          ...maxLength === undefined ? {} : { maxLength },
          ...tokenizer === undefined ? {} : { tokenizer },
        })
        const reports = yield* attempt(() => one.observe(answered.map(({ observation }) => observation)), MonitorError)
        for (const report of reports) {
          windows.push({ type: "window", report, at: new Date().toISOString() })
          if (windows.length > MOST_WINDOWS) windows.shift()
          yield* tell(name, report)
        }
      }).pipe(
        Effect.catchCause((cause) => Effect.logError(`the monitor of ${name} failed on ${seen.length} answers`, cause)),
      )
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.takeBetween(queue, 1, TOGETHER), look)))
    const reads: Reads<Prediction> = (texts, by) =>
      Effect.tap(classifies(texts, by), ({ results }) =>
        by !== adapter ? Effect.void : Effect.forEach(
          results,
          (prediction, i) =>
            Effect.flatMap(
              Queue.offer(queue, { text: texts[i], prediction }),
              (taken) => taken ? Effect.void : Metric.update(Metric.withAttributes(passedOver, { model: name }), 1),
            ),
          { discard: true },
        ))
    return { served: { ...served, classifies: reads }, name, thresholds: one.thresholds, windows: () => windows }
  })
}

/** Options that can be met. Throws. */
function checked(served: Served, model: Model, profile: Profile, options: WatchOptions) {
  refuse(faultsOf(WATCH_OPTIONS, options))
  const { adapter, waiting } = withDefaults(WATCH_OPTIONS, options)
  const { classifies } = served
  if (classifies === undefined) {
    throw new MonitorError({
      reason: "Options",
      message: `${served.id} is no classifier: its answers cannot be watched`,
    })
  }
  // An adapter has labels of its own.
  const labels = model.task.labels ?? []
  if (adapter === undefined && `${labels}` !== `${profile.labels}`) {
    const message =
      `the profile is of ${JSON.stringify(profile.labels)}, ${served.id} answers ${JSON.stringify(labels)}: ` +
      "give the profile of its own run"
    throw new MonitorError({ reason: "Profile", message })
  }
  return { adapter, waiting, classifies }
}

function tell(name: string, { window, alarms }: WindowReport): Effect.Effect<void> {
  const alarm = alarms.length > 0
  const count = Metric.update(Metric.withAttributes(windowsTotal, { model: name, alarm: `${alarm}` }), 1)
  if (!alarm) return count
  return Effect.andThen(count, Effect.logWarning(`${name}: window ${window} has an alarm: ${alarms.join(", ")}`))
}
