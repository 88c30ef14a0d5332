import * as Effect from "effect/Effect"
import { attempt, DataError } from "./data_error.ts"
import type { Data } from "./dataset.ts"
import { makeRng } from "../tensor/random.ts"

/** How data is divided. What is left after validation and test is for training. */
export interface SplitOptions {
  /** Share of the rows for validation, [0, 1). Default 0.1. */
  readonly validation?: number
  /** Share of the rows for the test, [0, 1). Default 0.1. */
  readonly test?: number
  /** Seed of the division. Default 0. */
  readonly seed?: number
}

/** Data divided in three; every row that is not a duplicate stands in exactly one part. */
export interface Splits<D extends Data> {
  /** Rows to train on. */
  readonly train: D
  /** Rows to choose by (early stopping). Empty when its share is 0. */
  readonly validation: D
  /** Rows to judge by. Empty when its share is 0. */
  readonly test: D
  /** Label names; empty where there are no labels. */
  readonly labels: ReadonlyArray<string>
  /** Rows left out because an earlier row is the same but for case and white space. */
  readonly removedDuplicates: number
  /** Those among {@link Splits.removedDuplicates} whose label is not that of the row that was kept. */
  readonly conflictingLabels: number
}

/** Text as duplicates are told by: lower case, white space collapsed. */
export const normalizeText = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim()

/** {@link splitData} for a data set that is still to be read. Fails with a {@link DataError} of reason `Split`. */
export function split(
  options: SplitOptions = {},
): <D extends Data, E, R>(data: Effect.Effect<D, E, R>) => Effect.Effect<Splits<D>, E | DataError, R> {
  return (data) => Effect.flatMap(data, (rows) => attempt(() => splitData(rows, options)))
}

/**
 * Divides data, a pure function of the data and the options. Duplicates are removed first, so that no test row stands
 * in training. Labelled data is stratified: each part gets its share of every class, rounded by largest remainder.
 * Rows of the same prompt stay together (a model that saw a prompt in training is not tested on it), so the parts of
 * prompt data may be larger than their shares by less than one prompt's rows.
 *
 * @throws DataError `Split` for shares out of range or a part that would be empty.
 */
export const splitData = <D extends Data>(data: D, options: SplitOptions = {}): Splits<D> => {
  const { validation = 0.1, test = 0.1, seed = 0 } = options
  const inRange = [validation, test].every((share) => Number.isFinite(share) && share >= 0)
  if (!inRange || validation + test >= 1) {
    const message = `shares of validation and test must be from 0 and below 1 together, got ${validation} and ${test}`
    throw new DataError({ reason: "Split", message })
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new DataError({ reason: "Split", message: `the seed must be a whole number from 0, got ${seed}` })
  }
  const { kept, conflicts } = withoutDuplicates(data)
  const rng = makeRng(seed, SPLIT_STREAM)
  const classes = unitsByClass(data, kept)
  const sizes = classes.map((units) => units.reduce((count, unit) => count + unit.length, 0))
  const testSizes = shares(sizes, test)
  const validationSizes = shares(sizes, validation)
  const parts = { test: [] as Array<number>, validation: [] as Array<number>, train: [] as Array<number> }
  classes.forEach((units, id) => divide(rng.shuffle(units), testSizes[id], validationSizes[id], parts))
  const part = (name: "test" | "validation" | "train", share: number): D => {
    if (share > 0 && parts[name].length === 0) {
      const message = `${data.source}: no row is left for ${name}: ${kept.length} different rows, share ${share}`
      throw new DataError({ reason: "Split", message })
    }
    const order = parts[name].sort((a, b) => a - b)
    return { ...data, rows: order.map((index) => data.rows[index]) }
  }
  return {
    train: part("train", 1 - validation - test),
    validation: part("validation", validation),
    test: part("test", test),
    labels: data.labels,
    removedDuplicates: data.rows.length - kept.length,
    conflictingLabels: conflicts,
  }
}

const SPLIT_STREAM = 1

const withoutDuplicates = (data: Data): { readonly kept: ReadonlyArray<number>; readonly conflicts: number } => {
  const first = new Map<string, number>()
  let conflicts = 0
  data.rows.forEach((row, index) => {
    const key = "prompt" in row
      ? JSON.stringify([normalizeText(row.prompt), normalizeText(row.completion)])
      : normalizeText(row.text)
    const earlier = first.get(key)
    if (earlier === undefined) first.set(key, index)
    else if (data.kind === "classification" && data.rows[earlier].label !== data.rows[index].label) conflicts++
  })
  return { kept: [...first.values()], conflicts }
}

/** For each class the units that must not be torn apart: single rows, or the rows of one prompt. */
const unitsByClass = (data: Data, kept: ReadonlyArray<number>): Array<Array<ReadonlyArray<number>>> => {
  if (data.kind === "classification") {
    const classes: Array<Array<ReadonlyArray<number>>> = data.labels.map(() => [])
    for (const index of kept) classes[data.rows[index].label].push([index])
    return classes
  }
  if (data.kind !== "completion") return [kept.map((index) => [index])]
  const prompts = new Map<string, Array<number>>()
  for (const index of kept) {
    const key = normalizeText(data.rows[index].prompt)
    const rows = prompts.get(key)
    if (rows === undefined) prompts.set(key, [index])
    else rows.push(index)
  }
  return [[...prompts.values()]]
}

/** Rows of each class that make up a share of all, by largest remainder (ties: the earlier class). */
const shares = (sizes: ReadonlyArray<number>, share: number): Array<number> => {
  const ideal = sizes.map((size) => size * share)
  const counts = ideal.map(Math.floor)
  let left = Math.round(ideal.reduce((sum, value) => sum + value, 0)) - counts.reduce((sum, count) => sum + count, 0)
  const order = sizes.map((_, id) => id).sort((a, b) => (ideal[b] - counts[b]) - (ideal[a] - counts[a]) || a - b)
  for (const id of order) {
    if (left-- > 0) counts[id]++
  }
  return counts
}

const divide = (
  units: ReadonlyArray<ReadonlyArray<number>>,
  testSize: number,
  validationSize: number,
  parts: Record<"test" | "validation" | "train", Array<number>>,
): void => {
  let inTest = 0
  let inValidation = 0
  for (const unit of units) {
    if (inTest < testSize) {
      parts.test.push(...unit)
      inTest += unit.length
    } else if (inValidation < validationSize) {
      parts.validation.push(...unit)
      inValidation += unit.length
    } else parts.train.push(...unit)
  }
}
