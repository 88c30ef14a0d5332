/**
 * Monitors: a profile of how a model answers, windows of live answers beside it, and a retrain that an alarm can start.
 *
 * ```ts
 * import { Dataset, Espalier, Model, Task } from "@espalier/espalier"
 * import * as Llama from "@espalier/espalier/llama"
 * import * as Monitor from "@espalier/espalier/monitor"
 * import * as Console from "effect/Console"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const program = Effect.gen(function* () {
 *   const data = yield* Dataset.tsv("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" })
 *   const model = yield* Model.load("examples/models/espalier-1m", { task: Task.classification(data.labels) })
 *   const options = { maxLength: 32 }
 *   const profile = yield* Monitor.profile(model, data, { ...options, rows: 80 })
 *   const monitor = yield* Monitor.monitor(profile, { window: 20 })
 *   const live = data.rows.slice(-20).map(({ text }) => text.toUpperCase())
 *   const answered = yield* Monitor.observe(model, live, options)
 *   const reports = monitor.observe(answered.map(({ observation }) => observation))
 *   for (const { alarms } of reports) yield* Console.log(alarms)
 * })
 *
 * const Main = Layer.provideMerge(Llama.layer, Espalier.layer)
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Main)))
 * ```
 *
 * @module
 */
export { MonitorError, type MonitorErrorFields } from "./monitor_error.ts"
export { type Profile, profile, profileFrom, type ProfileOptions } from "./profile/profile.ts"
export { saveProfiles } from "./profile/review.ts"
export { loadProfile, type ProfileFilesError, saveProfile } from "./profile/profile_files.ts"
export { type Answered, type AnswerOptions, judged, observe, type ObserveOptions } from "./profile/observe.ts"
export type { EmbedError } from "../../core/training/embed.ts"
export type { PredictError, PredictOptions } from "../../core/training/evaluate.ts"
export type { Embeddings, Observation, Sample } from "./profile/sample.ts"
export type { Moments } from "./profile/moments.ts"
export type { Prepared, Statistic } from "./statistics/statistic.ts"
export { psi, type PsiOptions } from "./statistics/population_stability.ts"
export { ks } from "./statistics/kolmogorov_smirnov.ts"
export { mmd } from "./statistics/kernel_two_sample.ts"
export { meanShift } from "./statistics/mean_shift.ts"
export { accuracyLoss, calibration } from "./statistics/judged.ts"
export { STATISTICS as statistics } from "./statistics/builtin.ts"
export { type Monitor, monitor, type WindowKind, type WindowReport } from "./watch/monitor.ts"
export { MONITOR_OPTIONS as monitorOptions, type MonitorOptions } from "./watch/options.ts"
export { WATCH_OPTIONS as watchOptions, type Watched, watched, type WatchOptions } from "./watch/watched.ts"
export { type MonitorPage, monitorPage } from "./page.ts"
export { type Retrainer, retrainer, type RetrainError } from "./retrain/retrainer.ts"
export { RETRAIN_OPTIONS as retrainOptions, type RetrainOptions, type SwapTarget } from "./retrain/options.ts"
export type { Compared, Happened, MonitorEvent, Served } from "./retrain/events.ts"
export type { Phase, State } from "./retrain/state.ts"
export type { JudgedRow } from "./retrain/judged_rows.ts"
export { childRun, type ChildRunOptions } from "./retrain/child_run.ts"
export { scorer, type ScorerOptions } from "./retrain/scorer.ts"
