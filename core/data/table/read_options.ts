import type { Reader } from "../readers/reader.ts"

/** How a file is read. */
export interface ReadOptions {
  /**
   * Name of a reader: `csv`, `tsv`, `json`, `jsonl`, `text` or one of `readers`. Default: from the content or the extension
   * (`.csv .tsv .tab .json .jsonl .ndjson .txt`, each also with `.gz`).
   */
  readonly format?: string
  /** Readers of other formats; they come before those of this package. Default: none. */
  readonly readers?: ReadonlyArray<Reader>
  /** Column names of a CSV or TSV file (or of JSON rows that are lists) without a header line; default: its first line. */
  readonly header?: ReadonlyArray<string>
  /** What parts the columns of a CSV or TSV file; default: comma or tab, or what its header line shows. */
  readonly delimiter?: string
  /**
   * CSV and TSV: whether `"` around a field quotes it and is no part of it (`"double"`: RFC 4180, as pandas and
   * spreadsheets write), or is a character like any other (`"none"`: as GLUE has it). Default `"auto"`: CSV is quoted,
   * TSV as the file shows, with a note.
   */
  readonly quotes?: "auto" | "none" | "double"
  /** Name of the text's encoding as of WHATWG, such as "windows-1252". Default: UTF-8, or UTF-16 where the file shows it. */
  readonly encoding?: string
  /** Plain text: what is one document; a paragraph ends at a blank line. Default "line". */
  readonly document?: "line" | "paragraph" | "file"
}

/** Name of the single column that plain text is read into. */
export const TEXT_COLUMN = "text"
