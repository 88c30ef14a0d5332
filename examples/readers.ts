/**
 * The formats that the examples read beside those of the main entry point.
 * @module
 */
import type { Dataset } from "../mod.ts"
import { parquet } from "../plugins/parquet/mod.ts"
import { sqlite } from "../plugins/sqlite/mod.ts"

/** Readers, for run files and flags. */
export const READERS: ReadonlyArray<Dataset.Reader> = [parquet(), sqlite()]
