import * as Effect from "effect/Effect"
import { AdapterError } from "../../contracts/bank/adapter_error.ts"
import { attempt } from "../../contracts/attempt.ts"
import { runWith } from "../../inference/bank/run_with.ts"
import type { Model } from "../../model/model.ts"
import { TEXTS, wrongArgument } from "../../options/argument.ts"
import type { JudgedPrediction, Measured } from "../../tasks/task.ts"
import { TrainingError } from "../training_error.ts"

/** What answers rows with adapters of their own. */
export interface ByAdapter {
  /** Most rows of a batch. */
  readonly most: number
  /** Posts a run of rows, by their numbers, with the slots of their adapters: i32 [B]. */
  readonly run: <A>(rows: ReadonlyArray<number>, post: (adapters: Int32Array) => Promise<A>) => Promise<A>
  /** Predictions of an example by the classes of its adapter's head: the first of the model's. */
  readonly predictions: (measured: Measured) => ReadonlyArray<JudgedPrediction>
}

/** The adapter of each of some rows, by name. */
export function byAdapter(
  { bank, task }: Model,
  rows: number,
  names: ReadonlyArray<string> | undefined,
): Effect.Effect<ByAdapter, TrainingError | AdapterError> {
  const message = bank === undefined
    ? "adapters needs a model with a bank of them: Model.withAdapters"
    : wrongArgument("adapters", names, TEXTS) ??
      (names!.length === rows ? undefined : `adapters must name one for each of ${rows} rows, got ${names!.length}`)
  if (message !== undefined) return Effect.fail(new TrainingError({ reason: "Options", message }))
  return Effect.map(attempt(() => names!.map(bank!.find), AdapterError), (adapters) => ({
    most: bank!.slots,
    run: (rows, post) => runWith(bank!, rows.map((row) => adapters[row]), post),
    predictions: ({ row, example, values }) => {
      const { labels = task.labels ?? [] } = adapters[example.index]
      const size = task.head.kind === "sequence" ? task.head.size : 0
      const own = Object.entries(values).map(([name, all]) =>
        [name, all.length === size ? all.subarray(0, labels.length) : all] as const
      )
      return task.judge([{ row, example, values: Object.fromEntries(own) }], NaN, labels).predictions ?? []
    },
  }))
}
