/** How the content of a file is read. */
export interface TextOptions {
  /** Column names of a CSV or TSV file (or of JSON rows that are lists) without a header line; default: its first line. */
  readonly header?: ReadonlyArray<string>
  /** Delimiter of a CSV or TSV file; default: comma or tab, or as its header line shows. */
  readonly delimiter?: string
  /**
   * CSV and TSV: `"double"`: quotes enclose fields (RFC 4180, pandas, spreadsheets); `"none"`: a quote is a character (GLUE).
   * Default `"auto"`: enclosing in CSV, as the file shows in TSV, with a note.
   */
  readonly quotes?: "auto" | "none" | "double"
  /** WHATWG name of the encoding, such as "windows-1252". Default: UTF-8, or UTF-16 if the file shows it. */
  readonly encoding?: string
  /** Plain text: what is one document; a paragraph ends at a blank line. Default "line". */
  readonly document?: "line" | "paragraph" | "file"
  /** Databases: the SQL query that gives the rows. Default: none. */
  readonly query?: string
}

/** Name of the single column that plain text is read into. */
export const TEXT_COLUMN = "text"
