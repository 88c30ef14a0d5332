/** One record as read: column name to value. Only the mapped columns need to hold text or numbers. */
export type Row = Readonly<Record<string, unknown>>

/** Rows as read, before columns are mapped. */
export interface Table {
  /** File name, or "rows" for data from memory; used in messages. */
  readonly source: string
  /** Column names, in order. */
  readonly columns: ReadonlyArray<string>
  /** The records. */
  readonly rows: ReadonlyArray<Row>
  /** Where each record stands: line (1-based, header counted) or row (1-based) by {@link Table.unit}. */
  readonly places: ReadonlyArray<number>
  /** What {@link Table.places} counts. */
  readonly unit: "line" | "row"
}
