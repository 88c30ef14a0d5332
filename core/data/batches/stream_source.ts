/**
 * Batches of a data set that is read while a model trains.
 * @module
 */
import * as Effect from "effect/Effect"
import { type BatchSource, DEFAULT_TASK, type Json, type Step } from "../../contracts/batch_source.ts"
import type { Data, DataRow, StreamedData } from "../data.ts"
import { DataError } from "../data_error.ts"
import { hashOf, jsonBytes } from "../digest.ts"
import type { Example } from "../encode.ts"
import { type BatchOptions, makeBatches } from "./batches.ts"

/** The window that a source draws from. Plain JSON. */
interface Place {
  /** Passes over the data that are complete. */
  readonly pass: number
  /** Rows of this pass before the window. */
  readonly row: number
  /** Windows before this one. */
  readonly window: number
  /** Examples of all windows before this one. */
  readonly example: number
  /** Steps of the window that are drawn. */
  readonly step: number
  /** Hash of this pass's rows up to the window's end; 0 before there are any. */
  readonly read: number
}

const START: Place = { pass: 0, row: 0, window: 0, example: 0, step: 0, read: 0 }

const hashRows = (rows: ReadonlyArray<DataRow>, before: number): number =>
  rows.reduce((hash, row) => hashOf(jsonBytes(row), hash), before)

/** A source that reads as it draws. */
export interface StreamSource extends BatchSource {
  /** Examples by row index: those of the window that is drawn from, and no others. */
  readonly examples: ReadonlyArray<Example>
  /** Rows of a pass, where they are counted. */
  readonly count?: number
  /** Reads the first window, so that wrong rows are an error before a run begins. */
  readonly prepare: Effect.Effect<void, DataError>
  /** Ends the reading. */
  readonly close: Effect.Effect<void>
}

/**
 * Draws the rows of a window in random order, sorted by length as {@link makeBatches} has it, then reads the next window;
 * after the last row, the data begins again. Where its rows are not counted, an epoch has no end: a run needs `maxSteps`. The
 * state is the place in the data, so that a resumed run draws the same steps; it reads the rows before its place again.
 *
 * @param encode Makes the examples of a window. Throws DataError.
 */
export function makeStreamSource(
  data: StreamedData,
  encode: (window: Data) => ReadonlyArray<Example>,
  options: Omit<BatchOptions, "task" | "shuffle">,
): StreamSource {
  const { chunks, window, count, ...info } = data
  const examples: Array<Example> = []
  // Whole steps, so that only the last window of a pass has a smaller one.
  const unit = options.batchSize * (options.accumulation ?? 1)
  const size = Math.ceil(window / unit) * unit
  let place = START
  let loaded: { readonly rows: number; readonly examples: number; readonly steps: ReadonlyArray<Step> } | undefined
  let cursor = makeCursor(chunks)
  const changed = (what: string) => {
    const message = `${data.source} has ${what}: a run goes on with the same data`
    return new DataError({ reason: "BadInput", message })
  }
  const rewind = async () => {
    await cursor.close()
    cursor = makeCursor(chunks)
  }
  const load = async (at: Place): Promise<void> => {
    const rows = await cursor.take(size)
    if (rows.length === 0) {
      if (at.row === 0) throw new DataError({ reason: "Empty", message: `${data.source} holds no rows` })
      await rewind()
      return load({ ...at, pass: at.pass + 1, row: 0, read: 0 })
    }
    const made = encode({ ...info, rows })
    if (count !== undefined && made.length !== rows.length) {
      const message = `${data.source}: ${rows.length} rows give ${made.length} examples, so its epochs have no known ` +
        "number of steps: set maxSteps"
      throw new DataError({ reason: "BadInput", message })
    }
    for (const old in examples) delete examples[old]
    made.forEach((example, i) => examples[at.example + i] = { ...example, index: at.row + example.index })
    const steps = makeBatches(made, options).epoch(at.window).map(({ microBatches }) => ({
      microBatches: microBatches.map((own) => ({
        ...own,
        rows: own.rows.map((row) => row < 0 ? row : at.example + row),
      })),
    }))
    loaded = { rows: rows.length, examples: made.length, steps }
    place = { ...at, read: hashRows(rows, at.read) }
  }
  /** Goes to the rows before the place again, as far as they are not in memory, and checks that they are the same. */
  const reopen = async () => {
    const { read, pass } = place
    await rewind()
    let before = 0
    for (let left = place.row; left > 0;) {
      const rows = await cursor.take(Math.min(left, size))
      if (rows.length === 0) throw changed("fewer rows than before")
      before = hashRows(rows, before)
      left -= rows.length
    }
    await load({ ...place, read: before })
    if (read !== 0 && (place.read !== read || place.pass !== pass)) throw changed("other rows than before")
  }
  const advance = async () => {
    if (loaded === undefined) await reopen()
    while (place.step >= loaded!.steps.length) {
      const { pass, row, window, example, read } = place
      await load({
        pass,
        row: row + loaded!.rows,
        window: window + 1,
        example: example + loaded!.examples,
        step: 0,
        read,
      })
    }
  }
  const draw = (): Step => {
    const step = loaded!.steps[place.step]
    place = { ...place, step: place.step + 1 }
    return step
  }
  return {
    tasks: { [DEFAULT_TASK]: new Int32Array() },
    steps: () => count === undefined ? Infinity : Math.ceil(count / unit),
    next: () =>
      loaded !== undefined && place.step < loaded.steps.length
        ? Effect.sync(draw)
        : Effect.map(Effect.tryPromise({ try: advance, catch: (error) => error as Error }), draw),
    state: {
      save: () => ({ ...place }),
      restore: (state) => {
        place = placeOf(state)
        loaded = undefined
      },
    },
    examples,
    ...count === undefined ? {} : { count },
    prepare: Effect.suspend(() =>
      Effect.tryPromise({ try: advance, catch: (error) => error }).pipe(
        Effect.catch((error) => error instanceof DataError ? Effect.fail(error) : Effect.die(error)),
      )
    ),
    close: Effect.promise(() => cursor.close()),
  }
}

/** Takes rows from chunks. */
function makeCursor(chunks: AsyncIterable<ReadonlyArray<DataRow>>) {
  let iterator: AsyncIterator<ReadonlyArray<DataRow>> | undefined
  let held: ReadonlyArray<DataRow> = []
  return {
    /** So many rows, fewer at the end of the data. */
    take: async (count: number): Promise<ReadonlyArray<DataRow>> => {
      iterator ??= chunks[Symbol.asyncIterator]()
      const parts = [held]
      for (let size = held.length; size < count;) {
        const { done, value } = await iterator.next()
        if (done) break
        parts.push(value)
        size += value.length
      }
      const rows = parts.flat()
      held = rows.slice(count)
      return rows.slice(0, count)
    },
    close: async (): Promise<void> => void await iterator?.return?.(),
  }
}

function placeOf(state: Json): Place {
  const place = state as unknown as Place
  const sound = Object.keys(START).every((name) => Number.isSafeInteger(place?.[name as keyof Place]))
  if (!sound) throw new Error(`it is no place in a data set: ${JSON.stringify(state)}`)
  return place
}
