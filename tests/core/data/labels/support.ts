import { assert, assertEquals } from "@std/assert"
import { DataError } from "../../../../core/data/data_error.ts"
import { fromRows, type LabeledData, type TaggedData } from "../../../../core/tasks/dataset/dataset.ts"

/** Data whose labels are these, a text of its own for each. */
export const labelled = (labels: ReadonlyArray<unknown>, names?: ReadonlyArray<string>): LabeledData =>
  fromRows(labels.map((label, i) => ({ t: `plum ${i}`, l: label })), { text: "t", label: "l" }, optionsOf(names))

/** Data whose rows have these tags, a word for each. */
export const tagged = (rows: ReadonlyArray<ReadonlyArray<unknown>>, names?: ReadonlyArray<string>): TaggedData =>
  fromRows(
    rows.map((tags, row) => ({ w: tags.map((_, i) => `w${row}x${i}`), g: tags })),
    { words: "w", tags: "g" },
    optionsOf(names),
  )

const optionsOf = (labels: ReadonlyArray<string> | undefined) => (labels === undefined ? {} : { labels })

/** Label ids of rows. */
export const ids = (data: LabeledData): ReadonlyArray<number> => data.rows.map(({ label }) => label)

/** The DataError of reason `Label` that a function throws, with what its message must say. */
export const refused = (run: () => unknown, ...parts: ReadonlyArray<string | RegExp>): DataError => {
  let thrown: unknown
  try {
    run()
  } catch (error) {
    thrown = error
  }
  assert(thrown instanceof DataError, `expected a DataError, got ${thrown}`)
  assertEquals(thrown.reason, "Label")
  says(thrown.message, ...parts)
  return thrown
}

/** Checks that a text says all that it must. */
export const says = (text: string, ...parts: ReadonlyArray<string | RegExp>): void => {
  for (const part of parts) {
    assert(typeof part === "string" ? text.includes(part) : part.test(text), `${part} is not in: ${text}`)
  }
}

/** All notes of data as one text. */
export const notes = ({ notes = [] }: { readonly notes?: ReadonlyArray<string> }): string => notes.join("\n")

/** Each item so many times. */
export const times = <A>(count: number, ...items: ReadonlyArray<A>): Array<A> =>
  Array.from({ length: count }, () => items).flat()
