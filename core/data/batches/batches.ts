import { DEFAULT_TASK, type MicroBatch, type Step } from "../../contracts/batch_source.ts"
import { DataError } from "../data_error.ts"
import type { Head } from "../../contracts/head.ts"
import type { FieldExtent, FieldSpec } from "../data.ts"
import type { Example } from "../encode.ts"
import { makeRng } from "../../tensor/operations/random.ts"

/** Options of batches. */
export interface BatchOptions {
  /** Examples of a micro-batch. */
  readonly batchSize: number
  /** Micro-batches of a step. Default 1. */
  readonly accumulation?: number
  /** Largest length of a row, at least that of the longest example. */
  readonly maxLength: number
  /** Draw a new order each epoch. Default true; false sorts all by length, for evaluation. */
  readonly shuffle?: boolean
  /** Seed of the order. Default 0. */
  readonly seed?: number
  /**
   * Steps whose rows are drawn together, then sorted by length into micro-batches. With 1, a step is a plain random sample.
   * A larger window means less padding, but more biased steps if labels depend on length (SMS spam, batches of 16: padded
   * tokens / tokens 3.1 at 1, 1.45 at 8, 1.26 at 50). Default 8.
   */
  readonly sortWindow?: number
  /**
   * Balances the number of tokens of micro-batches instead of sorting by length, so that packed rows have few different
   * lengths. Default false.
   */
  readonly even?: boolean
  /** Name of the task. Default "default". */
  readonly task?: string
}

/**
 * A micro-batch as arrays: B rows of T tokens, row by row, padded on the right; or, with `packed`, all B examples in one
 * row of N tokens, padded at its end.
 */
export interface Batch {
  /** Task that the rows belong to. */
  readonly task: string
  /** [B, T] or [1, N]. */
  readonly shape: readonly [number, number]
  /** Token ids [B * T] or [N]. */
  readonly tokens: Int32Array
  /**
   * Tokens of each example [B]. An empty example counts 1 in padded rows, so that attention has a key, and 0 in a packed
   * row.
   */
  readonly lengths: Int32Array
  /** See `PackedRow`: arrays of [N] tokens and [B] examples. */
  readonly packed?: {
    readonly positions: Int32Array
    readonly segments: Int32Array
    readonly first: Int32Array
    readonly last: Int32Array
    readonly longest: number
  }
  /** 1 for an example, 0 for an empty row [B]; [1] for a packed row, unless the head is a sequence head. */
  readonly exampleWeight: Float32Array
  /** Padded length of the targets, of tasks that have some. */
  readonly targetLength?: number
  /** Batch fields: [B], [B * T] or [N] per token, or [B * targetLength] per token of a target, times the field's size. */
  readonly fields: Readonly<Record<string, Int32Array | Float32Array>>
  /** Index of each example, -1 for an empty row [B]. */
  readonly rows: Int32Array
}

/** The part of a task that decides the arrays of its batches. */
export interface BatchSpec {
  /** In a packed row, heads other than a sequence head give one loss for the row. */
  readonly head: Pick<Head, "kind">
  /** Its batch fields by name. */
  readonly fields: Readonly<Record<string, FieldSpec>>
}

/** Padded length of a row: 16, 24, 32, 48, 64, 96, 128 ..., at most `maxLength`. */
export const bucketLength = (length: number, maxLength: number): number => {
  let bucket = 16
  while (bucket < length) bucket += (bucket & (bucket - 1)) === 0 ? bucket / 2 : bucket / 3
  return Math.min(bucket, maxLength)
}

/** A micro-batch of rows, filled up to `batchSize` and padded to the bucket of its longest row. */
export const makeMicroBatch = (
  task: string,
  rows: ArrayLike<number>,
  lengths: ArrayLike<number>,
  options: { readonly batchSize: number; readonly maxLength: number },
): MicroBatch => {
  const filled = new Int32Array(options.batchSize).fill(-1)
  filled.set(rows)
  const longest = Array.from(rows).reduce((most, row) => Math.max(most, lengths[row]), 1)
  return { task, rows: filled, length: bucketLength(longest, options.maxLength) }
}

/** Batches of the examples of one task. */
export interface Batches {
  readonly task: string
  /** Number of tokens of each example. */
  readonly lengths: Int32Array
  /** Number of steps of each epoch. */
  readonly steps: number
  /** Steps of an epoch, counted from 0. */
  readonly epoch: (epoch: number) => ReadonlyArray<Step>
}

/**
 * Batches of examples with similar lengths in random order; every example once an epoch. A pure function of its arguments.
 *
 * @throws DataError `BadInput` for sizes that are not whole numbers from 1; `TooLong` for examples over `maxLength`.
 */
export const makeBatches = (examples: ReadonlyArray<Example>, options: BatchOptions): Batches => {
  const { batchSize, accumulation = 1, maxLength, shuffle = true, seed = 0, sortWindow = 8, task = DEFAULT_TASK } =
    options
  for (const [name, value] of Object.entries({ batchSize, accumulation, maxLength, sortWindow })) {
    if (Number.isInteger(value) && value >= 1) continue
    throw new DataError({ reason: "BadInput", message: `${name} must be a whole number from 1, got ${value}` })
  }
  const lengths = Int32Array.from(examples, (example) => example.tokens.length)
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0)
  if (longest > maxLength) {
    throw new DataError({ reason: "TooLong", message: `an example has ${longest} tokens, maxLength is ${maxLength}` })
  }
  const all = Array.from(examples.keys())
  const byLength = (rows: ReadonlyArray<number>) => rows.toSorted((a, b) => lengths[a] - lengths[b])
  const made = (part: ReadonlyArray<number>) => makeMicroBatch(task, part, lengths, { batchSize, maxLength })
  const microBatchesOf = (rows: ReadonlyArray<number>): Array<MicroBatch> => chunks(rows, batchSize).map(made)
  const stepsOf = (microBatches: ReadonlyArray<MicroBatch>): Array<Step> =>
    chunks(microBatches, accumulation).map((microBatches) => ({ microBatches }))
  const epoch = (epoch: number): ReadonlyArray<Step> => {
    if (!shuffle) return stepsOf(microBatchesOf(byLength(all)))
    const rng = makeRng(seed, BATCH_STREAM, epoch)
    if (options.even) {
      const windows = chunks(rng.shuffle(all), EVEN_WINDOW * accumulation * batchSize)
      return windows.flatMap((rows) => stepsOf(rng.shuffle(balanced(rows, lengths, batchSize).map(made))))
    }
    const windows = chunks(rng.shuffle(all), sortWindow * accumulation * batchSize)
    return windows.flatMap((window) => stepsOf(rng.shuffle(microBatchesOf(byLength(window)))))
  }
  return { task, lengths, steps: Math.ceil(examples.length / (batchSize * accumulation)), epoch }
}

const BATCH_STREAM = 2
/** Steps whose rows are balanced together: enough for a mean length close to the overall mean. */
const EVEN_WINDOW = 64

/** Divides rows into parts of `size` (the last one may be smaller): longest first, into the part with the fewest tokens. */
const balanced = (rows: ReadonlyArray<number>, lengths: ArrayLike<number>, size: number): Array<Array<number>> => {
  const parts = chunks(rows, size).map(({ length }) => ({ left: length, tokens: 0, rows: [] as Array<number> }))
  for (const row of rows.toSorted((a, b) => lengths[b] - lengths[a])) {
    const part = parts.reduce((best, one) => one.left > 0 && (best.left === 0 || one.tokens < best.tokens) ? one : best)
    part.left--
    part.tokens += lengths[row]
    part.rows.push(row)
  }
  return parts.map((part) => part.rows)
}

const chunks = <A>(items: ReadonlyArray<A>, size: number): Array<ReadonlyArray<A>> => {
  const parts: Array<ReadonlyArray<A>> = []
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size))
  return parts
}

/** A number for each extent of batch fields: how many values an array has, or the first one of an example. */
type Extents = Readonly<Record<FieldExtent, number>>

/** Arrays of the batch fields, filled with `fill`, and a function that writes an example from its first values on. */
export const fieldArrays = (
  specs: BatchSpec["fields"],
  counts: Extents,
): readonly [Batch["fields"], (example: Example, first: Extents) => void] => {
  const all = Object.entries(specs).map(([name, { per, dtype, fill, size = 1 }]) => {
    const length = size * counts[per]
    const array = dtype === "i32" ? new Int32Array(length) : new Float32Array(length)
    return { name, array: array.fill(fill), size, per }
  })
  const write = ({ fields }: Example, first: Extents) => {
    for (const { name, array, size, per } of all) array.set(fields[name], size * first[per])
  }
  return [Object.fromEntries(all.map(({ name, array }) => [name, array])), write]
}

/** Fills the arrays of padded rows. `padId` may be any valid id, since the lengths mask it. Default 0. */
export const collate = (
  examples: ReadonlyArray<Example>,
  microBatch: MicroBatch,
  spec: BatchSpec,
  padId = 0,
): Batch => {
  const { rows, length, task } = microBatch
  const size = rows.length
  const tokens = new Int32Array(size * length).fill(padId)
  const lengths = new Int32Array(size).fill(1)
  const exampleWeight = new Float32Array(size)
  const targets = Array.from(rows, (row) => row < 0 ? 0 : examples[row].target?.length ?? 0)
  const hasTargets = Object.values(spec.fields).some(({ per }) => per === "target")
  const targetLength = hasTargets ? bucketLength(Math.max(...targets), Infinity) : 0
  const [fields, write] = fieldArrays(spec.fields, {
    example: size,
    token: size * length,
    target: size * targetLength,
  })
  rows.forEach((row, index) => {
    if (row < 0) return
    const example = examples[row]
    tokens.set(example.tokens, index * length)
    lengths[index] = example.tokens.length
    exampleWeight[index] = 1
    write(example, { example: index, token: index * length, target: index * targetLength })
  })
  const batch = { task, shape: [size, length], tokens, lengths, exampleWeight, fields, rows } as const
  return hasTargets ? { ...batch, targetLength } : batch
}
