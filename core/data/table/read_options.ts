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
