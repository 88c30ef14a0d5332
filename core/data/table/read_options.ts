import type { OptionNames } from "../../options/unknown_option.ts"
import type { Reader } from "../readers/reader.ts"
import type { TextOptions } from "./text_options.ts"

/** Options of reading a file. */
export interface ReadOptions extends TextOptions {
  /**
   * Name of a reader: `csv`, `tsv`, `json`, `jsonl`, `text` or one of `readers`. Default: from the content or the extension
   * (`.csv .tsv .tab .json .jsonl .ndjson .txt`, each also with `.gz`).
   */
  readonly format?: string
  /** Readers of other formats; they come before those of this package. Default: none. */
  readonly readers?: ReadonlyArray<Reader>
}

/** The names of {@link ReadOptions}. */
export const READ_OPTIONS: OptionNames<ReadOptions> = {
  format: true,
  readers: true,
  header: true,
  delimiter: true,
  quotes: true,
  encoding: true,
  document: true,
  query: true,
}
