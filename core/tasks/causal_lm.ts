import type { ColumnReader, DataRow, RowKind } from "../data/data.ts"
import { cellsOf } from "../data/table/cells.ts"
import { followsLabel, MASKED } from "../data/encode.ts"
import { exactKey } from "../data/split/text_keys.ts"
import { markedPieces } from "../data/pieces/marked_text.ts"
import { cutterOf } from "../data/pieces/pieces.ts"
import { argmax, equal, sum } from "../tensor/ops.ts"
import { perToken } from "./shared/objectives.ts"
import { ONE_TEXT, textRowsOf } from "./shared/one_text.ts"
import type { TaskOf } from "./task.ts"

/** Column of data for plain language modelling. */
export interface TextColumns {
  /** Column that holds the text. */
  readonly text: string
  /** Must be absent: with a label the data is for classification. */
  readonly label?: never
  /** Must be absent: with labels the data is for classification into several classes. */
  readonly labels?: never
  /** Must be absent: with scores the data is for regression. */
  readonly scores?: never
}

/** Columns of prompts with completions: the completion is trained on. */
export interface PairColumns {
  /** Column that holds the prompt. */
  readonly prompt: string
  /** Column that holds the completion. */
  readonly completion: string
}

/** One text. */
export interface TextRow extends DataRow {
  /** The text. */
  readonly text: string
}

/** One prompt with its completion. */
export interface PairRow extends DataRow {
  /** The prompt. */
  readonly prompt: string
  /** The completion, joined to the prompt without a separator. */
  readonly completion: string
}

/** One text with the parts of it that are trained on, such as the answers of a chat. */
export interface MarkedRow extends DataRow {
  /** The text, with all special tokens that belong to it: none are put around it. */
  readonly text: string
  /** Begin and end of each part, as offsets in the text, in order. */
  readonly trained: ReadonlyArray<readonly [from: number, to: number]>
}

/** Texts alone. */
export const textRows: RowKind<TextRow> = {
  name: "text",
  columns: "a text column alone",
  ...ONE_TEXT,
  says: () => "",
  encoding: () => TASK,
}

/** Prompts with completions. */
export const pairRows: RowKind<PairRow> = {
  name: "completion",
  columns: "a prompt and a completion column",
  texts: ({ prompt, completion }) => [prompt, completion],
  about: ({ prompt }) => exactKey(prompt),
  says: ({ completion }) => exactKey(completion),
  manyAnswers: true,
  asks: ({ prompt, completion }) => [prompt, completion],
  encoding: () => TASK,
}

/** The text up to the first part that is trained on, and from there on. */
const halvesOf = ({ text, trained }: MarkedRow): readonly [string, string] => {
  const [[from] = [text.length]] = trained
  return [text.slice(0, from), text.slice(from)]
}

/** Texts with parts that are trained on. */
export const markedRows: RowKind<MarkedRow> = {
  name: "chat",
  columns: "a column of messages",
  texts: halvesOf,
  about: (row) => exactKey(halvesOf(row)[0]),
  says: (row) => exactKey(halvesOf(row)[1]),
  manyAnswers: true,
  encoding: () => TASK,
}

/** Reads {@link textRows}. */
export const textColumns = ({ text }: TextColumns): ColumnReader<TextRow> => ({
  kind: textRows,
  names: [text],
  texts: [text],
  read: (table) => ({ rows: textRowsOf(table, text, () => ({})) }),
})

/** Reads {@link pairRows}. */
export const pairColumns = ({ prompt, completion }: PairColumns): ColumnReader<PairRow> => ({
  kind: pairRows,
  names: [prompt, completion],
  texts: [prompt, completion],
  read: (table) => {
    const prompts = cellsOf(table, prompt)
    const completions = cellsOf(table, completion)
    return {
      rows: prompts.map((prompt, index) => ({ prompt, completion: completions[index], row: table.places[index] })),
    }
  },
})

/** Predicts the next token at each position. */
export interface CausalLMTask extends TaskOf<TextRow | PairRow | MarkedRow> {
  /** Its name. */
  readonly kind: "causal-lm"
}

/** The next token of each token before one of tokens `from` to `to`; the others are masked. */
const nextTokens = (
  tokens: Int32Array,
  trained: ReadonlyArray<readonly [from: number, to: number]> = [[0, tokens.length]],
): Int32Array => {
  const labels = new Int32Array(tokens.length).fill(MASKED)
  for (const [from, to] of trained) {
    const first = Math.max(1, from)
    labels.set(tokens.subarray(first, to), Math.min(first - 1, tokens.length))
  }
  return labels
}

/** Fields, loss and metrics of language models. */
export const LANGUAGE_MODEL: Pick<TaskOf, "fields" | "objective" | "measure" | "metrics" | "judge"> = {
  fields: { labels: { per: "token", dtype: "i32", fill: MASKED } },
  objective: perToken,
  measure: ({ batch, outputs }) => ({ hits: sum(equal(argmax(outputs.logits), batch.fields.labels), [1]) }),
  metrics: { loss: "lower", perplexity: "lower", tokenAccuracy: "higher" },
  judge: (measured, loss) => {
    const total = (name: string) => measured.reduce((sum, { values }) => sum + values[name][0], 0)
    return { metrics: { perplexity: Math.exp(loss), tokenAccuracy: total("hits") / total("weight") } }
  },
}

const TASK: CausalLMTask = {
  ...LANGUAGE_MODEL,
  kind: "causal-lm",
  head: { kind: "vocabulary", attention: "causal" },
  rows: [textRows, pairRows, markedRows],
  // A text ends with the end token, if the tokenizer has one. A token across the border belongs to the completion.
  encoder: ({ rows }, tokenizer, { completionOnly = true }) => {
    const texts = rows.map((row) => "prompt" in row ? row.prompt + row.completion : row.text)
    const { goingOn, pair } = cutterOf(tokenizer, texts)
    return (row) => {
      if ("trained" in row) {
        const { trained, ...piece } = markedPieces(row, tokenizer)
        return [{
          ...piece,
          fields: (tokens) => ({ labels: nextTokens(tokens, completionOnly ? trained : undefined) }),
        }]
      }
      if (!("prompt" in row)) return [{ ...goingOn(row.text), fields: (tokens) => ({ labels: nextTokens(tokens) }) }]
      const { prompt, ...piece } = pair(row.prompt, row.completion)
      const from = completionOnly ? prompt : 0
      return [{ ...piece, fields: (tokens) => ({ labels: nextTokens(tokens, [[from, tokens.length]]) }) }]
    }
  },
  packing: { rows: textRows, fields: (tokens) => ({ labels: nextTokens(tokens) }) },
  written: followsLabel,
}

/** Predicts the next token at each position. */
export const causalLM = (): CausalLMTask => TASK
