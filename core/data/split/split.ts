import * as Effect from "effect/Effect"
import { makeRng } from "../../tensor/operations/random.ts"
import { faultsOf, withDefaults } from "../../options/check.ts"
import type { OptionTable, Resolved } from "../../options/field.ts"
import * as field from "../../options/fields.ts"
import { attempt, DataError } from "../data_error.ts"
import type { Data } from "../data.ts"
import { type Conflict, type Duplicate, findDuplicates } from "./duplicates.ts"
import { shares } from "./shares.ts"
import { splitNotes } from "./split_notes.ts"
import { normalizeText } from "./text_keys.ts"

export type { Conflict, Duplicate }

/** Options of a split. The rest after validation and test is for training. */
export interface SplitOptions {
  /** Share of the rows for validation, [0, 1). Default 0.1. */
  readonly validation?: number
  /** Share of the rows for the test, [0, 1). Default 0.1. */
  readonly test?: number
  /** Seed of the division. Default 0. */
  readonly seed?: number
}

const share = field.number({ minimum: 0, exclusiveMaximum: 1, default: 0.1 })

/** {@link SplitOptions} as a table. */
export const SPLIT_OPTIONS: OptionTable<SplitOptions> = {
  validation: { ...share, doc: "Share of the rows for validation" },
  test: { ...share, doc: "Share of the rows for the test" },
  seed: field.integer({ minimum: 0, default: 0, doc: "Seed of the division" }),
}

/** Checks options and fills in defaults. Throws {@link DataError} `Split` that names every wrong one. */
export function resolveSplit(options: SplitOptions): Resolved<SplitOptions> {
  const faults = faultsOf(SPLIT_OPTIONS, options).map(({ message }) => message)
  const { validation, test, seed } = withDefaults(SPLIT_OPTIONS, options)
  if (faults.length === 0 && validation + test >= 1) {
    faults.push(`validation and test must be below 1 together, got ${validation} and ${test}`)
  }
  if (faults.length > 0) throw new DataError({ reason: "Split", message: faults.join("; ") })
  return { validation, test, seed }
}

/** Data in three parts; every row that is not a duplicate is in exactly one of them. */
export interface Splits<D extends Data> {
  /** Rows to train on. */
  readonly train: D
  /** Rows for early stopping. Empty if its share is 0. */
  readonly validation: D
  /** Rows for the final evaluation. Empty if its share is 0. */
  readonly test: D
  /** Label names; empty if there are none. */
  readonly labels: ReadonlyArray<string>
  /**
   * Rows left out because an earlier one is the same. Texts with the same label are the same despite case and spaces within
   * lines; prompts with completions, and words with tags, must agree in every character.
   */
  readonly duplicates: ReadonlyArray<Duplicate>
  /** Texts with several labels (words: several tags). All their rows are kept, in one part. */
  readonly conflicts: ReadonlyArray<Conflict>
  /** Number of {@link Splits.duplicates}. */
  readonly removedDuplicates: number
  /** Rows of {@link Splits.conflicts} that contradict the first row of their text. */
  readonly conflictingLabels: number
  /** Notes about the split; also among the notes of {@link Splits.train}. */
  readonly notes: ReadonlyArray<string>
}

/** {@link splitData} for an Effect of a data set. Fails with a {@link DataError} of reason `Split`. */
export function split(
  options: SplitOptions = {},
): <D extends Data, E, R>(data: Effect.Effect<D, E, R>) => Effect.Effect<Splits<D>, E | DataError, R> {
  return (data) => Effect.flatMap(data, (rows) => attempt(() => splitData(rows, options)))
}

/**
 * Divides data; a pure function of the data and the options. Duplicates are removed first, and rows that differ only in case,
 * white space or label stay together, so that no text of a test row is in training. Labelled data is stratified: each part
 * gets its share of every class, rounded by largest remainder (the seed draws ties), and each class keeps a text in training.
 * Rows of one prompt stay together, so parts of prompt data may exceed their shares by less than one prompt's rows.
 *
 * @throws DataError `Split` for shares out of range or a part that would be empty.
 */
export const splitData = <D extends Data>(data: D, options: SplitOptions = {}): Splits<D> => {
  const { validation, test, seed } = resolveSplit(options)
  const { kept, duplicates, conflicts } = findDuplicates(data)
  const rng = makeRng(seed, SPLIT_STREAM)
  const weigh = (unit: Unit) => (data.kind.manyAnswers ? unit.length : 1)
  const strata = strataOf(data, kept)
  const sizes = strata.map((units) => units.reduce((sum, unit) => sum + weigh(unit), 0))
  const room = sizes.map((size) => Math.max(0, size - 1))
  const testSizes = shares(sizes, room, test, makeRng(seed, SPLIT_STREAM, 1))
  const left = room.map((most, id) => most - testSizes[id])
  const validationSizes = shares(sizes, left, validation, makeRng(seed, SPLIT_STREAM, 2))
  const parts: Parts = { test: [], validation: [], train: [] }
  strata.forEach((units, id) => divide(rng.shuffle(units), weigh, testSizes[id], validationSizes[id], parts))
  const part = (name: keyof Parts, share: number): D => {
    if (share > 0 && parts[name].length === 0) {
      const alone = sizes.length > 1 && sizes.includes(1) ? "; a class with a single text keeps it for training" : ""
      const message =
        `${data.source}: no row is left for ${name}: ${kept.length} different rows, share ${share}${alone}`
      throw new DataError({ reason: "Split", message })
    }
    return { ...data, rows: parts[name].sort((a, b) => a - b).map((index) => data.rows[index]) }
  }
  const train = part("train", 1 - validation - test)
  const judged = { validation: part("validation", validation), test: part("test", test) }
  const notes = splitNotes({ data, train, ...judged, duplicates, conflicts })
  return {
    train: notes.length === 0 ? train : { ...train, notes: [...data.notes ?? [], ...notes] },
    ...judged,
    labels: data.labels,
    duplicates,
    conflicts,
    removedDuplicates: duplicates.length,
    conflictingLabels: conflicts.reduce((sum, { rows }) => sum + rows.length - 1, 0),
    notes,
  }
}

const SPLIT_STREAM = 1

/** Rows that stay together. */
type Unit = ReadonlyArray<number>
type Parts = Record<"test" | "validation" | "train", Array<number>>

/** Units by the class of their first row; one stratum if there are no classes. */
const strataOf = (data: Data, kept: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<Unit>> => {
  const units = new Map<string, Array<number>>()
  for (const index of kept) {
    const key = normalizeText(data.kind.texts(data.rows[index])[0])
    const unit = units.get(key)
    if (unit === undefined) units.set(key, [index])
    else unit.push(index)
  }
  const { kind, labels, rows } = data
  if (!kind.stratified) return [[...units.values()]]
  const strata = labels.map((): Array<Unit> => [])
  for (const unit of units.values()) strata[kind.classes!(rows[unit[0]])[0]].push(unit)
  return strata
}

/** Fills test, then validation, then training, in the order of the units. */
const divide = (
  units: ReadonlyArray<Unit>,
  weigh: (unit: Unit) => number,
  testSize: number,
  validationSize: number,
  parts: Parts,
): void => {
  let inTest = 0
  let inValidation = 0
  for (const unit of units) {
    const part = inTest < testSize ? "test" : inValidation < validationSize ? "validation" : "train"
    // One by one: a call takes some 100,000 arguments at most, and a group may have more rows.
    for (const row of unit) parts[part].push(row)
    if (part === "test") inTest += weigh(unit)
    if (part === "validation") inValidation += weigh(unit)
  }
}
