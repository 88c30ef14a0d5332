import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { loadAdapters, type Model } from "../../../core/model/mod.ts"
import { file } from "../../../core/tasks/dataset/dataset.ts"
import { evaluate, type EvaluateOptions } from "../../../core/training/evaluate.ts"
import { MonitorError } from "../monitor_error.ts"

/** Options of {@link scorer}. */
export interface ScorerOptions extends EvaluateOptions {
  /** A metric of the task for which higher is better. Default `"accuracy"`. */
  readonly metric?: string
}

/**
 * Scores adapters by a model that is there for this alone: loads them into it one after another. Rows are files with columns
 * `text` and `label`. Fails with {@link MonitorError} `Retrain` for a metric that the task does not have, and with the errors of
 * reading, loading and evaluating.
 */
export function scorer(
  model: Model,
  { metric = "accuracy", ...options }: ScorerOptions = {},
): (adapter: string, rows: string) => Effect.Effect<number, unknown, FileSystem.FileSystem> {
  return (adapter, rows) =>
    Effect.gen(function* () {
      const labels = model.task.labels ?? []
      yield* loadAdapters(model, adapter)
      const data = yield* file(rows, { text: "text", label: "label" }, { labels })
      const { metrics } = yield* evaluate(model, data, options)
      if (metric in metrics && model.task.metrics[metric] === "higher") return metrics[metric]
      const higher = Object.keys(metrics).filter((name) => model.task.metrics[name] === "higher")
      const message = `metric must be one of ${higher.join(", ")}, got "${metric}"`
      return yield* new MonitorError({ reason: "Retrain", message })
    })
}
