import type { Table } from "../table/table.ts"
import type { TextOptions } from "../table/text_options.ts"

/** Parses a whole text. Throws DataError with the lines at fault. */
export type ParseText = (text: string, source: string, options: TextOptions) => Table
