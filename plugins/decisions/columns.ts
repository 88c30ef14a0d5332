import type { ColumnReader, DataRow, RowKind } from "../../core/data/data.ts"
import { DataError } from "../../core/data/data_error.ts"
import { MASKED } from "../../core/data/encode.ts"
import { textKey } from "../../core/data/split/text_keys.ts"
import { cellsOf } from "../../core/data/table/cells.ts"
import { makeRng } from "../../core/tensor/operations/random.ts"
import { DEFAULT_CONFIG } from "./decision_config.ts"
import { posed, type Question } from "./question.ts"

/** A state with the answer to a question about it. */
export interface DecisionRow extends DataRow {
  /** The state. */
  readonly state: string
  /** Index into the options of the question; -100 for none. */
  readonly answer: number
  /** The options in the order in which they are asked for. */
  readonly order: ReadonlyArray<number>
}

/** Columns of decisions. */
export interface DecisionColumns {
  /** Column that holds the state. */
  readonly state: string
  /** Column that holds the answer: an option of a choice, true or false, or a level by its number from 0 or its description. */
  readonly answer: string
  /** Seed of the orders of options, which are drawn for each row of a choice. Default 0. */
  readonly seed?: number
}

/** States with answers. */
export const decisionRows: RowKind<DecisionRow> = {
  name: "decision",
  columns: "a column of states and one of answers",
  texts: ({ state }) => [state],
  about: ({ state }) => textKey(state),
  says: ({ answer }) => answer,
  conflict: (rows, labels) => rows.map(({ answer }) => labels[answer]),
  classes: ({ answer }) => [answer],
  stratified: true,
}

/** Names of the options of a question. */
export const optionsOf = (question: Question): ReadonlyArray<string> => {
  const labels = Array.from({ length: 1024 }, (_, i) => String(i))
  return posed("the question", question, { ...DEFAULT_CONFIG, labels: { choice: labels, score: labels } }).options
}

/** Reads states and answers. Options of a choice are asked for in another order in each row, so that their place says nothing. */
export const columns = (
  question: Question,
  { state, answer, seed = 0 }: DecisionColumns,
): ColumnReader<DecisionRow> => ({
  kind: decisionRows,
  names: [state, answer],
  texts: [state],
  read: (table) => {
    const options = optionsOf(question)
    const levels = question.type === "score" ? question.criteria : []
    const cells = cellsOf(table, answer)
    const answers = cells.map((cell) => Math.max(options.indexOf(cell), levels.indexOf(cell)))
    const wrong = answers.indexOf(-1)
    if (wrong >= 0) {
      const message = `${table.source}: "${cells[wrong]}" is none of ${options.join(", ")}`
      throw new DataError({ reason: "Label", message, rows: [table.places[wrong]] })
    }
    const rows = cellsOf(table, state).map((state, i) => {
      const order = options.map((_, option) => option)
      if (question.type === "choice") shuffle(order, makeRng(seed, table.places[i]).float)
      return { state, answer: answers[i], order, row: table.places[i] }
    })
    return { rows, labels: options }
  },
})

/** A row without an answer. */
export const unanswered = (state: string, row: number, options: number): DecisionRow => ({
  state,
  answer: MASKED,
  order: Array.from({ length: options }, (_, i) => i),
  row,
})

/** Fisher and Yates. */
function shuffle(order: Array<number>, draw: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1))
    ;[order[i], order[j]] = [order[j], order[i]]
  }
}
