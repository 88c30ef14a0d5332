import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data, DataRow } from "../../core/data/data.ts"
import { attempt } from "../../core/data/data_error.ts"
import type { Model } from "../../core/model/model.ts"
import { evaluate, type EvaluateError, type EvaluateOptions } from "../../core/training/evaluate.ts"
import { AXES, type Axes, checkAxes, finder, type Groups, swapper } from "./groups.ts"
import { type AxisBalance, type Balance, groupOf, type Swap, swapOf } from "./measures.ts"

/** Options of {@link balance}. */
export interface BalanceOptions extends EvaluateOptions {
  /** Groups by what they differ in. Default {@link AXES}, in English. */
  readonly axes?: Axes
}

/**
 * Measures the balance of a model of one task on rows, best on those that it was not trained on. Axes of which no row speaks are
 * left out.
 *
 * Fails as `Trainer.evaluate`; with DataError `BadInput` for lists of words of different lengths.
 */
export function balance(
  model: Model,
  data: Data,
  { axes = AXES, ...options }: BalanceOptions = {},
): Effect.Effect<Balance, EvaluateError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    yield* attempt(() => checkAxes(axes))
    const judge = (rows: ReadonlyArray<DataRow>) => evaluate(model, { ...data, rows }, options)
    const found = yield* Effect.forEach(Object.entries(axes), ([axis, groups]) => axisOf(axis, groups, data, judge))
    return { rows: data.rows.length, axes: found.filter(({ swaps, groups }) => swaps.length + groups.length > 0) }
  })
}

type Judge = (rows: ReadonlyArray<DataRow>) => ReturnType<typeof evaluate>

function axisOf(axis: string, groups: Groups, { rows, kind }: Data, judge: Judge) {
  const names = Object.keys(groups)
  const speaks = names.map((name) => {
    const pattern = finder(groups[name])
    return rows.map((row) => kind.texts(row).some((text) => text.search(pattern) >= 0))
  })
  const pairs = names.flatMap((_, a) => names.slice(a + 1).map((_, i) => [a, a + 1 + i] as const))
  return Effect.gen(function* () {
    const swaps: Array<Swap> = []
    for (const [a, b] of pairs) {
      const own = rows.filter((_, i) => speaks[a][i] || speaks[b][i])
      if (own.length === 0) continue
      const swap = swapper(groups[names[a]], groups[names[b]])
      swaps.push(swapOf([names[a], names[b]], yield* judge(own), yield* judge(own.map((row) => changed(row, swap)))))
    }
    const measured: Array<AxisBalance["groups"][number]> = []
    for (const [a, name] of names.entries()) {
      const own = rows.filter((_, i) => speaks.every((of, b) => of[i] === (a === b)))
      if (own.length > 0) measured.push(groupOf(name, yield* judge(own)))
    }
    return { axis, swaps, groups: measured }
  })
}

/** A row with all its texts changed, also those in lists and objects. */
const changed = (row: DataRow, change: (text: string) => string): DataRow => {
  const of = (value: unknown): unknown => {
    if (typeof value === "string") return change(value)
    if (Array.isArray(value)) return value.map(of)
    if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, of(one)]))
  }
  return of(row) as DataRow
}
