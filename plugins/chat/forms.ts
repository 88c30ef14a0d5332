/**
 * The forms that chats have in tables, recognized by the names of columns.
 * @module
 */
import { quoted } from "../../core/data/data_error.ts"
import type { Row, Table } from "../../core/data/table/table.ts"
import { cellText } from "../../core/data/table/cells.ts"
import { ChatFault } from "./chat_fault.ts"

/** Columns of chats; what is not named is recognized. */
export interface ChatColumns {
  /** Column with lists of messages. */
  readonly messages?: string
  /** Column with lists of tools, as JSON schemas. */
  readonly tools?: string
}

/** Messages of a row, not yet checked. */
export interface RowMessages {
  readonly messages: unknown
  /** Number of messages that are a prompt. Default: none. */
  readonly from?: number
}

/** A form of chats. */
interface Form {
  /** Columns that are all there where it is meant. */
  readonly names: ReadonlyArray<string>
  /** Whether the rows have it. Default: the names decide. */
  readonly fits?: (row: Row) => boolean
  /** What is assumed, for a note. Default: nothing. */
  readonly note?: string
  readonly read: (row: Row) => RowMessages
}

const listIn = (name: string): Form["read"] => (row) => ({ messages: row[name] })

const SHARE = "the list is read as messages, with the names of ShareGPT: from human or gpt, and value"
const ALPACA = "each row is read as a question and an answer, as in Alpaca; an input follows its instruction"

const FORMS: ReadonlyArray<Form> = [
  { names: ["messages"], read: listIn("messages") },
  { names: ["conversations"], note: SHARE, read: listIn("conversations") },
  {
    names: ["prompt", "completion"],
    fits: ({ prompt, completion }) => Array.isArray(prompt) && Array.isArray(completion),
    note: "both are lists of messages: the completion is trained on",
    read: ({ prompt, completion }) => {
      const [asked, said] = [prompt, completion].map((list) => Array.isArray(list) ? list : [])
      return { messages: [...asked, ...said], from: asked.length }
    },
  },
  { names: ["instruction", "output"], note: ALPACA, read: (row) => ({ messages: alpaca(row) }) },
]

/** A question with an answer. */
const alpaca = (row: Row): unknown => {
  const cell = (name: string) => {
    const text = cellText(row[name])
    if (text !== undefined) return text
    throw new ChatFault("Malformed", `the column ${quoted([name])} holds no text`, "give its cells as texts", "")
  }
  const [system, instruction, input] = ["system", "instruction", "input"].map(cell)
  return [
    ...system.trim() === "" ? [] : [{ role: "system", content: system }],
    { role: "user", content: input.trim() === "" ? instruction : `${instruction}\n\n${input}` },
    { role: "assistant", content: cell("output") },
  ]
}

/** How the chats of a table are read, and what is to say of it; undefined where the table holds none. */
export const formOf = (
  table: Pick<Table, "columns" | "rows" | "source">,
  named?: string,
): { readonly read: Form["read"]; readonly notes: ReadonlyArray<string> } | undefined => {
  if (named !== undefined) return { read: listIn(named), notes: [] }
  const form = FORMS.find(({ names, fits = () => true }) =>
    names.every((name) => table.columns.includes(name)) && table.rows.length > 0 && fits(table.rows[0])
  )
  if (form === undefined) return undefined
  const { names, note, read } = form
  const what = `${table.source}: the column${names.length > 1 ? "s" : ""} ${
    names.map((name) => `"${name}"`).join(" and ")
  }`
  return { read, notes: note === undefined ? [] : [`${what}: ${note}`] }
}

/** What recognizing goes by, for messages. */
export const RECOGNIZED: string = FORMS.map(({ names }) => names.join(" and ")).join("; ")
