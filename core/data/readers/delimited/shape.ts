/** What decides whether a record fits its header. */
export interface Shape {
  /** The line on which it begins. */
  readonly line: number
  /** Number of its fields. */
  readonly count: number
  /** Number of its fields up to the last one that is not blank. */
  readonly filled: number
  /** The first field. */
  readonly first: string
}

/** Number of fields that a record may have. */
export interface Width {
  /** At least: columns up to the last one with a name. */
  readonly named: number
  /** At most: all columns. Fields beyond them must be blank. */
  readonly all: number
}

/** The shape of a record. */
export const shapeOf = (fields: ReadonlyArray<string>, line: number): Shape => ({
  line,
  count: fields.length,
  filled: fields.findLastIndex((field) => field.trim() !== "") + 1,
  first: fields[0],
})

/** Whether a record has all named columns and nothing beyond the header. Blank records fit. */
export const fits = ({ count, filled }: Shape, { named, all }: Width): boolean =>
  filled === 0 || (count >= named && filled <= all)

/**
 * The width of a file's records. Without a given header, the first record is the header. R, and pandas with an index, leave
 * out the name of a first column that numbers the rows: then `numbered` is true.
 */
export const widthOf = (
  shapes: ReadonlyArray<Shape>,
  header: ReadonlyArray<string> | undefined,
): Width & { readonly numbered: boolean } => {
  if (header !== undefined) return { named: header.length, all: header.length, numbered: false }
  const [head, ...rest] = shapes
  if (head === undefined) return { named: 0, all: 0, numbered: false }
  const { count, filled } = head
  const start = Number(rest[0]?.first)
  const numbered = (start === 0 || start === 1) &&
    rest.every((shape, row) => shape.count === count + 1 && shape.first === String(start + row))
  return numbered ? { named: filled + 1, all: count + 1, numbered } : { named: filled, all: count, numbered }
}

/** The share of a file's records that fit their header. */
export const fittingShare = (shapes: ReadonlyArray<Shape>, header: ReadonlyArray<string> | undefined): number => {
  const width = widthOf(shapes, header)
  const rows = header === undefined ? shapes.slice(1) : shapes
  return rows.length === 0 ? 1 : rows.filter((shape) => fits(shape, width)).length / rows.length
}
