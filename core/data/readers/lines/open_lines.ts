import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { DataError } from "../../data_error.ts"
import type { Source } from "../../table/source.ts"
import type { Table } from "../../table/table.ts"
import type { TextOptions } from "../../table/text_options.ts"
import { wideEncoding } from "../decode_text.ts"
import { type LinePart, lineParts } from "./line_parts.ts"
import { openText } from "../open_text.ts"
import type { ParseText } from "../parse_text.ts"

/** A format whose lines can be read without those that follow much later. */
export interface LineFormat {
  /** Whether a text that begins so has the format. */
  readonly isOf: (text: string, options: TextOptions) => boolean
  /** Begins to read a source. */
  readonly begin: (source: string, options: TextOptions) => LineReading
}

/** A pass over a source. */
export interface LineReading {
  /** The rows that are complete with the next lines. Throws DataError. */
  readonly next: (part: LinePart) => Table
  /** Rows that nothing but the end of the source completes. Throws DataError. */
  readonly end?: () => Table | undefined
}

/** Bytes that tell an encoding. */
const START = 512

/**
 * Opens a source of text, whose lines are parsed as they are read. What is not of the format, or not of an encoding with bytes
 * for line ends, is parsed as a whole.
 */
export const openLines = (
  source: Source,
  options: TextOptions,
  format: LineFormat,
  whole: ParseText,
): Effect.Effect<Stream.Stream<Table, DataError>, DataError> =>
  Effect.gen(function* () {
    const wide = /^utf-?(?:16|32)/i.test(options.encoding ?? wideEncoding(yield* source.part(0, START)) ?? "")
    const first = wide ? undefined : yield* firstPart(source, options)
    if (first === undefined || !format.isOf(first.text, options)) return yield* openText(source, options, whole)
    return Stream.suspend(() =>
      Stream.fromAsyncIterable(tables(source, options, format), (error) => error as DataError)
    )
  })

/** The first lines that are not blank. Fails with DataError `Empty`. */
const firstPart = (source: Source, { encoding }: TextOptions): Effect.Effect<LinePart, DataError> =>
  Effect.tryPromise({
    try: async () => {
      for await (const part of lineParts(source, encoding)) if (part.text.trim() !== "") return part
      throw new DataError({ reason: "Empty", message: `${source.name} holds no rows` })
    },
    catch: (error) => error as DataError,
  })

async function* tables(source: Source, options: TextOptions, format: LineFormat): AsyncGenerator<Table> {
  const { next, end } = format.begin(source.name, options)
  for await (const part of lineParts(source, options.encoding)) yield next(part)
  const last = end?.()
  if (last !== undefined) yield last
}
