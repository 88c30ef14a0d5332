import type * as Effect from "effect/Effect"
import type { Data, Encoding } from "../../core/data/data.ts"
import { attempt, DataError } from "../../core/data/data_error.ts"
import { MASKED } from "../../core/data/batches/masked.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { type Lengths, lengthsOf, sampled } from "./lengths.ts"
import { nearDuplicates } from "./near_duplicates.ts"
import { type PersonalData, personalData } from "./personal_data.ts"

/** The parts of a data set by name, in the order in which duplicates are looked for: training first. */
export type CardParts = Readonly<Record<string, Data>>

/** Options of {@link dataCard}. */
export interface CardOptions {
  /** Tokenizer of the model. */
  readonly tokenizer: Tokenizer
  /** The model's task. Default: that of the rows, for kinds of rows that have one. */
  readonly task?: Encoding
  /** Tokens to which examples are cut. Default: none is cut. */
  readonly maxLength?: number
  /** Share of two texts that is the same, from which they are near duplicates, above 0 and up to 1. Default 0.8. */
  readonly similarity?: number
}

/** Two rows that are nearly the same. */
export interface NearPair {
  /** Number of the row. */
  readonly row: number
  /** Its part. */
  readonly part: string
  /** Number of the earlier row. */
  readonly of: number
  /** The part of the earlier row. */
  readonly ofPart: string
  /** Share of their pieces of five characters that both have (Jaccard). */
  readonly similarity: number
}

/** What a data set holds. Plain JSON, without any text of a row. */
export interface DataCard {
  /** File name or "rows". */
  readonly source: string
  /** What rows are counted in. */
  readonly unit: "line" | "row"
  /** Rows of each part. */
  readonly rows: Readonly<Record<string, number>>
  /** Lengths of each part. */
  readonly lengths: Readonly<Record<string, Lengths>>
  /** Rows of each label in each part; of several labels a row counts for each. Default: there are no classes. */
  readonly labels?: ReadonlyArray<{ readonly label: string; readonly rows: Readonly<Record<string, number>> }>
  /** Rows among which near duplicates were looked for. */
  readonly compared: number
  /** Near duplicates, the same text included, within and across parts. */
  readonly near: ReadonlyArray<NearPair>
  /** What looks like data of persons, in all rows. */
  readonly personal: ReadonlyArray<PersonalData>
}

/** Rows among which near duplicates are looked for, of all parts. */
const MOST_COMPARED = 20_000

/** Looks through a data set. Fails with DataError, as encoding does, and for a similarity out of range. */
export function dataCard(parts: CardParts, options: CardOptions): Effect.Effect<DataCard, DataError> {
  return attempt(() => {
    const { similarity = 0.8 } = options
    if (!(similarity > 0 && similarity <= 1)) {
      const message = `similarity must be a number above 0 and up to 1, got ${similarity}`
      throw new DataError({ reason: "BadInput", message })
    }
    const used = Object.entries(parts).filter(([, { rows }]) => rows.length > 0)
    if (used.length === 0) throw new DataError({ reason: "Empty", message: "no part has rows" })
    const [[, { source, unit }]] = used
    const labels = labelsOf(used)
    const each = <A>(of: (data: Data) => A) => Object.fromEntries(used.map(([name, data]) => [name, of(data)]))
    return {
      source,
      unit,
      rows: each(({ rows }) => rows.length),
      lengths: each((data) => lengthsOf(data, options)),
      ...labels === undefined ? {} : { labels },
      ...nearPairs(used, similarity),
      personal: personalData(
        used.flatMap(([, { rows, kind }]) => rows.map((row) => ({ row: row.row, texts: kind.texts(row) }))),
      ),
    }
  })
}

type Parts = ReadonlyArray<readonly [name: string, data: Data]>

function labelsOf(parts: Parts): DataCard["labels"] {
  const [[, { kind, labels }]] = parts
  if (kind.classes === undefined || labels.length === 0) return undefined
  const counts = parts.map(([name, { rows }]) => {
    const own = new Float64Array(labels.length)
    for (const row of rows) for (const label of new Set(kind.classes!(row))) if (label !== MASKED) own[label]++
    return [name, own] as const
  })
  return labels.map((label, id) => ({ label, rows: Object.fromEntries(counts.map(([name, own]) => [name, own[id]])) }))
}

/** Pairs among a sample of the rows. Rows that judge are all in it, as far as it has room: a leak is what matters most. */
function nearPairs(parts: Parts, least: number): Pick<DataCard, "compared" | "near"> {
  const [[, { kind }], ...others] = parts
  const judging = others.reduce((sum, [, { rows }]) => sum + rows.length, 0)
  const room = Math.max(Math.ceil(MOST_COMPARED / 2), MOST_COMPARED - judging)
  const all = parts.flatMap(([part, { rows }], i) =>
    sampled(rows, i === 0 ? room : Math.ceil((MOST_COMPARED - room) * rows.length / Math.max(1, judging))).map((
      row,
    ) => ({
      part,
      row: row.row,
      text: kind.texts(row).join("\n"),
    }))
  )
  const near = nearDuplicates(all.map(({ text }) => text), least).map(({ index, of, similarity }) => ({
    row: all[index].row,
    part: all[index].part,
    of: all[of].row,
    ofPart: all[of].part,
    similarity,
  }))
  return { compared: all.length, near }
}
