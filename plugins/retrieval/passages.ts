import { DataError, rowsError } from "../../core/data/data_error.ts"
import { dataOptions } from "../../core/data/data_options.ts"
import type { OptionTable } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"

/** A text that answers may rest on. */
export interface Document {
  /** Where it comes from, such as a path: answers name it. */
  readonly source: string
  /** The text. */
  readonly text: string
}

/** A part of a document. */
export interface Passage extends Document {
  /** Offset of its first character in the document. */
  readonly begin: number
}

/** How documents are cut. */
export interface PassageOptions {
  /** Most characters of a passage. Default 800. */
  readonly passageLength?: number
  /** Sentences that a passage has from the end of the one before. Default 1. */
  readonly overlap?: number
}

/** {@link PassageOptions} as a table. */
export const PASSAGE_OPTIONS: OptionTable<PassageOptions> = {
  passageLength: field.integer({ minimum: 1, default: 800, doc: "Most characters of a passage" }),
  overlap: field.integer({ minimum: 0, default: 1, doc: "Sentences that a passage has from the one before" }),
}

/**
 * Cuts documents into passages of whole sentences. A sentence that is longer than a passage is cut at a space.
 *
 * @throws DataError `Empty` without documents, `EmptyText` for those without text, `BadInput` for wrong options.
 */
export function passagesOf(documents: ReadonlyArray<Document>, options: PassageOptions = {}): ReadonlyArray<Passage> {
  const { passageLength, overlap } = dataOptions(PASSAGE_OPTIONS, options)
  if (documents.length === 0) {
    throw new DataError({ reason: "Empty", message: "there are no documents: give at least one with a text" })
  }
  const empty = documents.flatMap(({ text }, i) => text.trim() === "" ? [i + 1] : [])
  if (empty.length > 0) throw rowsError("EmptyText", { source: "documents", unit: "row" }, empty, ": no text")
  return documents.flatMap(({ source, text }) =>
    packed(sentencesOf(text, passageLength), passageLength, overlap).map(([begin, end]) => ({
      source,
      text: text.slice(begin, end).trim(),
      begin,
    }))
  ).filter(({ text }) => text !== "")
}

type Span = readonly [begin: number, end: number]

/** Where the sentences of a text are; longer ones than `most` in pieces. */
function sentencesOf(text: string, most: number): ReadonlyArray<Span> {
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(text)
  return Array.from(segments).flatMap(({ index, segment }) => {
    if (segment.trim() === "") return []
    const spans: Array<Span> = []
    let from = 0
    while (segment.length - from > most) {
      const space = segment.lastIndexOf(" ", from + most)
      const to = space > from ? space : from + most
      spans.push([index + from, index + to])
      from = to
    }
    return [...spans, [index + from, index + segment.length] as const]
  })
}

/** Sentences joined into spans of at most `most` characters, each with the last `overlap` of the one before. */
function packed(sentences: ReadonlyArray<Span>, most: number, overlap: number): ReadonlyArray<Span> {
  const spans: Array<Span> = []
  let first = 0
  while (first < sentences.length) {
    const [begin] = sentences[first]
    let last = first
    while (last + 1 < sentences.length && sentences[last + 1][1] - begin <= most) last++
    spans.push([begin, sentences[last][1]])
    if (last + 1 === sentences.length) break
    // Only as much of the end is repeated as leaves room for a further sentence.
    first = Math.max(first + 1, last + 1 - overlap)
    while (first <= last && sentences[last + 1][1] - sentences[first][0] > most) first++
  }
  return spans
}
