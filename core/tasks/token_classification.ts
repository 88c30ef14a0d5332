import type { ColumnReader, Data, DataRow, RowKind } from "../data/data.ts"
import { listsOf } from "../data/table/cells.ts"
import { listPlaces, rowsError } from "../data/data_error.ts"
import { MASKED } from "../data/encode.ts"
import { readLabels } from "../data/labels/labels.ts"
import { alongBody, concat, type EncodedRow, frameOf, unframed } from "../data/pieces/pieces.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import { argmax, maximum, softmax } from "../tensor/ops.ts"
import { classesOf, isLabel } from "./classification.ts"
import { classificationMetrics } from "./measures/classification_metrics.ts"
import { perToken } from "./shared/objectives.ts"
import type { TaskOf } from "./task.ts"

/** Columns of data for token classification; both hold lists of the same length, so JSON or rows in memory. */
export interface TaggedColumns {
  /** Column that holds the words. */
  readonly words: string
  /** Column that holds a label's name or id for each word. */
  readonly tags: string
}

/** Words with a label each. */
export interface TaggedRow extends DataRow {
  /** The words. */
  readonly words: ReadonlyArray<string>
  /** The words with spaces between. */
  readonly text: string
  /** Label id of each word: index into the data's `labels`; -100 without a label. */
  readonly labels: ReadonlyArray<number>
}

/** Lists of words with a label each. */
export const taggedRows: RowKind<TaggedRow> = {
  name: "tagged",
  columns: "a words and a tags column",
  texts: ({ text }) => [text],
  about: ({ words }) => JSON.stringify(words),
  says: ({ labels }) => labels,
  // A word without a label in one row may have one in another.
  conflict: (rows, labels) => {
    const tags = rows.map((row) => row.labels)
    const differs = (word: number) => new Set(tags.map((own) => own[word]).filter((id) => id !== MASKED)).size > 1
    return tags[0].some((_, word) => differs(word))
      ? tags.map((own) => own.map((id) => labels[id] ?? "_").join(" "))
      : undefined
  },
  answers: "tags",
  classes: ({ labels }) => labels,
  encoding: () => tokenClassification([]),
}

/** Reads {@link taggedRows}. */
export const taggedColumns = (columns: TaggedColumns): ColumnReader<TaggedRow> => ({
  kind: taggedRows,
  names: [columns.words, columns.tags],
  texts: [],
  read: (table, options) => {
    const { source, unit, places } = table
    const words = listsOf(table, columns.words)
    const tags = listsOf(table, columns.tags)
    const uneven = places.filter((_, index) => words[index].length !== tags[index].length)
    if (uneven.length > 0) {
      throw rowsError("Malformed", table, uneven, `: "${columns.words}" and "${columns.tags}" differ in length`)
    }
    const where = { source, unit, column: columns.tags, places: tags.flatMap((own, i) => own.map(() => places[i])) }
    const { names, ids, notes } = readLabels(tags.flat(), where, "words", options.labels)
    let at = 0
    const all = words.map((own, index): TaggedRow => {
      const labels = ids.slice(at, at += own.length)
      return { words: own, text: own.join(" "), labels, row: places[index] }
    })
    const isLabelled = ({ labels }: TaggedRow) => labels.some((label) => label !== MASKED)
    const without = all.filter((row) => !isLabelled(row)).map(({ row }) => row)
    const left = without.length === 0
      ? []
      : [`${source}: no word has a label in ${listPlaces(unit, without)}: left out`]
    return { rows: all.filter(isLabelled), labels: names, notes: [...notes, ...left] }
  },
})

/** One class for each word of a text. */
export interface TokenClassificationTask extends TaskOf<TaggedRow> {
  /** Its name. */
  readonly kind: "token-classification"
  /** Names of the classes. */
  readonly labels: ReadonlyArray<string>
}

const TASK: Omit<TokenClassificationTask, "labels" | "head" | "problem"> = {
  kind: "token-classification",
  rows: [taggedRows],
  fault: ({ words, labels }, { length }) =>
    labels.length === words.length && labels.every((label) => isLabel(label, length, true))
      ? undefined
      : `label ids must be from 0 to ${length - 1}, one for each word (${MASKED} for none)`,
  fields: { labels: { per: "token", dtype: "i32", fill: MASKED } },
  encoder: wordEncoder,
  objective: perToken,
  measure: ({ outputs: { logits } }) => ({ chosen: argmax(logits), sure: maximum(softmax(logits), [2]) }),
  metrics: { loss: "lower", accuracy: "higher", macroF1: "higher", matthews: "higher" },
  judge: (measured, _, labels) => {
    const judged = measured.flatMap(({ row, example: { fields }, values: { chosen, sure } }) =>
      Array.from(fields.labels).flatMap((expected, place) =>
        expected === MASKED
          ? []
          : [{ row, expected, word: fields.words[place], chosen: chosen[place], sure: sure[place] }]
      )
    )
    const classification = classificationMetrics(
      judged.map(({ expected }) => expected),
      judged.map(({ chosen }) => chosen),
      labels,
    )
    const { accuracy, macroF1, matthews } = classification
    const predictions = judged.map(({ row: { words, text }, word, expected, chosen, sure }) => ({
      text,
      word: words[word],
      expected: labels[expected],
      label: labels[chosen],
      probability: sure,
    }))
    return { metrics: { accuracy, macroF1, matthews }, classification, predictions }
  },
}

/** One of `labels` for each word of a text. */
export const tokenClassification = (labels: ReadonlyArray<string>): TokenClassificationTask => ({
  ...TASK,
  ...classesOf(TASK.kind, "token", labels),
})

/**
 * Encodes words one by one, as transformers does with `is_split_into_words`; the first token of a word has its label. If the
 * tokenizer would lose the spaces between words that way, each word but the first gets one before it. Throws DataError
 * `EmptyText` for a word without any token.
 */
function wordEncoder(data: Data<TaggedRow>, tokenizer: Tokenizer): (row: TaggedRow) => ReadonlyArray<EncodedRow> {
  const frame = frameOf(tokenizer, data.rows.map(({ text }) => text))
  const spaced = runTogether(data.rows, tokenizer)
  const partsOf = new Map(data.rows.map((row) => [
    row,
    row.words.map((word, index) =>
      tokenizer.encode(spaced && index > 0 ? ` ${word}` : word, { addSpecialTokens: false })
    ),
  ]))
  const isBad = (row: TaggedRow) => partsOf.get(row)!.some(({ length }) => length === 0)
  const bad = data.rows.filter(isBad).map(({ row }) => row)
  if (bad.length > 0) throw rowsError("EmptyText", data, bad, ": a word without any token")
  return (row) => {
    const parts = partsOf.get(row)!, { labels } = row
    const along = (first: (word: number) => number, rest: (word: number) => number) =>
      concat(parts.map(({ length }, word) => new Int32Array(length).fill(rest(word)).fill(first(word), 0, 1)))
    const { body, begins, ends } = unframed(concat(parts), frame)
    const { before, after } = frame
    const from = begins ? before.length : 0
    const within = (all: Int32Array) => all.subarray(from, from + body.length)
    const targets = within(along((word) => labels[word], () => MASKED))
    const places = within(along((word) => word, (word) => word))
    const piece = { before, body, after, found: { begins, ends, spaced } }
    const fields = (tokens: Int32Array) => ({
      labels: alongBody(piece, targets, MASKED, tokens),
      // The word of each token, for `judge`.
      words: alongBody(piece, places, -1, tokens),
    })
    return [{ ...piece, fields }]
  }
}

/** Whether words that are encoded one by one lose the space between them. */
function runTogether(rows: ReadonlyArray<TaggedRow>, tokenizer: Tokenizer): boolean {
  const pair = rows.find(({ words }) => words.length > 1)?.words
  if (pair === undefined) return false
  const [first, second, spaced] = [pair[0], pair[1], ` ${pair[1]}`].map((word) =>
    tokenizer.encode(word, { addSpecialTokens: false })
  )
  const apart = (ids: Int32Array) => /\s/.test(tokenizer.decode(ids).trim())
  return !apart(concat([first, second])) && apart(concat([first, spaced]))
}
