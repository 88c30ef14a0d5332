import type { Reader } from "../../core/data/readers/reader.ts"
import { parquet } from "../parquet/mod.ts"
import { sqlite } from "../sqlite/mod.ts"

/** The readers of this package beside those of the main entry point. */
export const READERS: ReadonlyArray<Reader> = [parquet(), sqlite()]
