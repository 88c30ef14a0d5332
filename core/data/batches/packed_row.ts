/**
 * Micro-batches without padding between examples: all of them in one row, one after the other.
 * @module
 */
import type { MicroBatch } from "../../contracts/batch_source.ts"
import { type Batch, type BatchSpec, collate, fieldArrays } from "./batches.ts"
import type { Example } from "../encode.ts"

/**
 * Length that a packed row is padded to: a multiple of 16 up to 512, then sixteen lengths to each power of two. About 2 %
 * are padding; where rows are dealt evenly, few lengths come up in a run.
 */
export const packedLength = (tokens: number): number => {
  let step = 16
  while (32 * step < tokens) step *= 2
  return Math.max(1, Math.ceil(tokens / step)) * step
}

/** Fills the arrays of a packed row. `longest` is the most tokens that any example of the run has. */
export const packRow = (
  examples: ReadonlyArray<Example>,
  { task, rows }: MicroBatch,
  longest: number,
  spec: BatchSpec,
  padId = 0,
): Batch => {
  const size = rows.length
  const lengths = Int32Array.from(rows, (row) => row < 0 ? 0 : examples[row].tokens.length)
  const length = packedLength(lengths.reduce((sum, own) => sum + own, 0))
  const tokens = new Int32Array(length).fill(padId)
  const positions = new Int32Array(length)
  const segments = new Int32Array(length).fill(size)
  const first = new Int32Array(size), last = new Int32Array(size)
  const bySequence = spec.head.kind === "sequence"
  const exampleWeight = new Float32Array(bySequence ? size : 1)
  const [fields, write] = fieldArrays(spec.fields, { example: size, token: length, target: 0 })
  let start = 0
  rows.forEach((row, index) => {
    if (row < 0) return
    const example = examples[row], end = start + lengths[index]
    tokens.set(example.tokens, start)
    segments.fill(index, start, end)
    for (let place = start; place < end; place++) positions[place] = place - start
    first[index] = start
    last[index] = end - 1
    exampleWeight[bySequence ? index : 0] = 1
    write(example, { example: index, token: start, target: 0 })
    start = end
  })
  return {
    task,
    shape: [1, length],
    tokens,
    lengths,
    packed: { positions, segments, first, last, longest },
    exampleWeight,
    fields,
    rows,
  }
}

/** A micro-batch in the layout that holds fewer tokens: a packed row, or padded rows where they are all of a length. */
export const packOrCollate = (
  examples: ReadonlyArray<Example>,
  microBatch: MicroBatch,
  longest: number,
  spec: BatchSpec,
  padId?: number,
): Batch => {
  const { rows, length } = microBatch
  const packed = packedLength(rows.reduce((sum, row) => sum + (row < 0 ? 0 : examples[row].tokens.length), 0))
  return packed < rows.length * length
    ? packRow(examples, microBatch, longest, spec, padId)
    : collate(examples, microBatch, spec, padId)
}
