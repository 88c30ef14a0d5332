import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { DataError } from "../data_error.ts"
import type { TextOptions } from "../table/text_options.ts"
import type { Source } from "../table/source.ts"
import type { Row, Table } from "../table/table.ts"

/** Consecutive rows of a source. */
export interface Chunk extends Partial<Omit<Table, "source" | "rows">> {
  /** The records, by column name. */
  readonly rows: ReadonlyArray<Row>
}

/** How a source is opened. */
export interface OpenOptions extends TextOptions {
  /** The columns that rows are made of. A reader may leave the values of all others out. Default: all columns. */
  readonly columns?: ReadonlyArray<string>
  /** Those of them that must hold texts or numbers. Default: each may hold lists and objects. */
  readonly texts?: ReadonlyArray<string>
  /** The source may be larger than memory: chunks are wanted as they are read. Default false: what decides by all rows may. */
  readonly streamed?: boolean
}

/**
 * A file format: how rows come out of bytes. Readers of other packages are given to `Dataset.file` and `Dataset.stream`
 * as `options.readers`.
 */
export interface Reader {
  /** Name of the format in `options.format`, run files and messages. */
  readonly name: string
  /** File extensions in lower case, without the dot. */
  readonly extensions: ReadonlyArray<string>
  /** Whether a source with these first 512 bytes has the format, whatever its extension. Default: the extension decides. */
  readonly detect?: (start: Uint8Array) => boolean
  /**
   * Opens a source. The stream yields chunks in the order of the source; it may end early, and may be run several times.
   * Where a chunk leaves out `columns`, they are the names in its rows; without `places`, rows are counted from 1.
   * Fails with a {@link DataError}, here or in the stream, that says what is wrong, where, and what to do.
   */
  readonly open: (
    source: Source,
    options: OpenOptions,
  ) => Effect.Effect<Stream.Stream<Chunk, DataError>, DataError>
}
