import * as Effect from "effect/Effect"
import { DataError } from "../data_error.ts"
import type { Data, DataRow, StreamedData } from "../data.ts"
import type { Resolved } from "../../options/field.ts"
import type { SplitOptions } from "./split.ts"

/** A stream in three parts: what judges is in memory. */
export interface StreamedSplits<Row extends DataRow = DataRow> {
  /** All rows that do not judge, with their number. */
  readonly train: StreamedData<Row>
  /** Rows for early stopping. Empty if its share is 0. */
  readonly validation: Data<Row>
  /** Rows for the final evaluation. Empty if its share is 0. */
  readonly test: Data<Row>
}

/** Divides a stream by the hashes of texts: see `splitStream`. */
export const divide = <Row extends DataRow>(
  stream: StreamedData<Row>,
  { validation, test, seed }: Resolved<SplitOptions>,
  textOf: (row: Row) => string,
): Effect.Effect<StreamedSplits<Row>, DataError> =>
  Effect.gen(function* () {
    const keyOf = (row: Row) => hashOf(textOf(row), seed)
    const { count, lowest } = yield* Effect.tryPromise({
      try: () => lowestKeys(stream, keyOf, 2 * stream.window + 1),
      catch: (error) => error,
    }).pipe(Effect.catch((error) => error instanceof DataError ? Effect.fail(error) : Effect.die(error)))
    const take = (share: number) => Math.min(stream.window, Math.round(share * count))
    const testEnd = wholeKeys(lowest, take(test))
    const end = wholeKeys(lowest, testEnd + take(validation))
    const { chunks, window, count: _, told, ...own } = stream
    const notes = told?.() ?? own.notes ?? []
    const info = notes.length === 0 ? own : { ...own, notes }
    const part = (from: number, to: number): Data<Row> => ({
      ...info,
      rows: lowest.slice(from, to).map(({ row }) => row).sort((a, b) => a.row - b.row),
    })
    const splits = { validation: part(testEnd, end), test: part(0, testEnd) }
    for (const [name, share] of [["validation", validation], ["test", test]] as const) {
      if (share === 0 || splits[name].rows.length > 0) continue
      const message = `${stream.source}: no row is left for ${name}: ${count} rows, share ${share}`
      return yield* new DataError({ reason: "Split", message })
    }
    const bound = end === 0 ? -1 : lowest[end - 1].key
    const isTrained = (row: Row) => keyOf(row) > bound
    const train = { ...info, window, count: count - end, chunks: filtered(chunks, isTrained) }
    return { train, ...splits }
  })

interface Keyed<Row> {
  readonly key: number
  readonly row: Row
}

/** The number of all rows, and those with the lowest keys, in the order of their keys. */
const lowestKeys = async <Row extends DataRow>(
  { chunks }: StreamedData<Row>,
  keyOf: (row: Row) => number,
  most: number,
): Promise<{ readonly count: number; readonly lowest: ReadonlyArray<Keyed<Row>> }> => {
  let count = 0, bound = Infinity
  let lowest: Array<Keyed<Row>> = []
  const tidy = () => {
    lowest = lowest.sort((a, b) => a.key - b.key || a.row.row - b.row.row).slice(0, most)
    if (lowest.length === most) bound = lowest[most - 1].key
  }
  for await (const rows of chunks) {
    count += rows.length
    for (const row of rows) {
      const key = keyOf(row)
      if (key < bound) lowest.push({ key, row })
    }
    if (lowest.length > 2 * most) tidy()
  }
  tidy()
  return { count, lowest }
}

/** The largest number of rows up to `end` that does not part rows of one key. */
const wholeKeys = (lowest: ReadonlyArray<Keyed<unknown>>, end: number): number => {
  let at = Math.min(end, lowest.length)
  while (at > 0 && at < lowest.length && lowest[at].key === lowest[at - 1].key) at--
  return at
}

const filtered = <Row>(
  chunks: AsyncIterable<ReadonlyArray<Row>>,
  keeps: (row: Row) => boolean,
): AsyncIterable<ReadonlyArray<Row>> => ({
  async *[Symbol.asyncIterator]() {
    for await (const rows of chunks) {
      const kept = rows.filter(keeps)
      if (kept.length > 0) yield kept
    }
  },
})

/** A hash of a text, 32 bits: FNV-1a with the last steps of MurmurHash3, so that all bits depend on all of the text. */
const hashOf = (text: string, seed: number): number => {
  let hash = Math.imul(0x811c9dc5 ^ seed, 0x01000193)
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
