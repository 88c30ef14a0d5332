import { DataError, rowsError } from "../../core/data/data_error.ts"
import type { ColumnReader } from "../../core/data/data.ts"
import { parseJsonValue } from "../../core/data/readers/json/json_value.ts"
import { checkColumns } from "../../core/data/table/check_columns.ts"
import type { Row, Table } from "../../core/data/table/table.ts"
import { type MarkedRow, markedRows } from "../../core/tasks/causal_lm.ts"
import { ChatFault } from "./chat_fault.ts"
import type { ChatTemplate } from "./chat_template.ts"
import { checkedMessages } from "./check_messages.ts"
import { type ChatColumns, formOf, RECOGNIZED } from "./forms.ts"
import { trainedText, type Turns } from "./trained_parts.ts"

/** Options of {@link columns}. */
export interface ColumnsOptions extends ChatColumns {
  /**
   * Answers that are trained on: `"all"`, or `"last"` of each chat, for templates that render earlier turns otherwise, such
   * as those that take their thoughts out. Default `"all"`.
   */
  readonly turns?: Turns
}

/**
 * Reads chats: each row becomes the text that the template makes of it, with the answers as parts that are trained on. For
 * `Dataset.file` and its like, and the task `causalLM`.
 *
 * Columns that are not named are recognized: `messages`; `conversations` as in ShareGPT; `prompt` and `completion` with
 * messages; `instruction`, `input` and `output` as in Alpaca. `tools` and `chat_template_kwargs` are read where they are.
 *
 * The reader throws DataError with all rows at fault: `Malformed` (roles, their order, contents that are not text),
 * `EmptyText`, `AllMasked` (no answer) or `Template` (the template refuses the chat, or answers cannot be told apart).
 */
export const columns = (template: ChatTemplate, options: ColumnsOptions = {}): ColumnReader<MarkedRow> => {
  const { messages, tools = "tools", turns = "all" } = options
  return {
    kind: markedRows,
    names: [],
    texts: [],
    read: (table) => {
      checkColumns(table, [messages, options.tools].filter((name) => name !== undefined))
      const form = formOf(table, messages)
      if (form === undefined) {
        const message = `${table.source} holds no chats that are recognized: columns are ${RECOGNIZED}; name one`
        throw new DataError({ reason: "MissingColumn", message })
      }
      const faults = new RowFaults(table)
      const rows = table.rows.flatMap((row, index) =>
        faults.attempt(index, () => {
          const { messages: given, from = 0 } = form.read(row)
          const conversation = { messages: checkedMessages(given, from), ...toolsIn(row, tools), ...variablesIn(row) }
          return { ...trainedText(template, conversation, { from, turns }), row: table.places[index] }
        })
      )
      faults.check()
      return { rows, notes: [...form.notes, ...template.notes] }
    },
  }
}

/** Tools of a row: a list, or its JSON. */
const toolsIn = (row: Row, column: string): { readonly tools?: ReadonlyArray<unknown> } => {
  const given = row[column] ?? null
  if (given === null || given === "") return {}
  const tools = typeof given === "string" ? parsed(given) : given
  if (Array.isArray(tools)) return tools.length === 0 ? {} : { tools }
  throw new ChatFault("Malformed", `the column "${column}" holds no list of tools`, "give JSON schemas in a list", "")
}

const parsed = (text: string): unknown => {
  try {
    return parseJsonValue(text)
  } catch {
    return undefined
  }
}

/** Variables of the template that a row has for itself. */
const variablesIn = ({ chat_template_kwargs: given }: Row) =>
  typeof given === "object" && given !== null && !Array.isArray(given)
    ? { variables: given as Readonly<Record<string, unknown>> }
    : {}

/** Rows at fault, by what is wrong. */
class RowFaults {
  private readonly found = new Map<string, { readonly fault: ChatFault; readonly rows: Array<number> }>()

  constructor(private readonly table: Table) {}

  /** The result in a list, or an empty one where there was a fault. */
  attempt<A>(index: number, make: () => A): ReadonlyArray<A> {
    try {
      return [make()]
    } catch (fault) {
      if (!(fault instanceof ChatFault)) throw fault
      const same = this.found.get(fault.what) ?? { fault, rows: [] }
      same.rows.push(this.table.places[index])
      this.found.set(fault.what, same)
      return []
    }
  }

  check(): void {
    const all = [...this.found.values()]
    if (all.length === 0) return
    const [{ fault: { reason, what, advice, detail }, rows }] = all.sort((a, b) => b.rows.length - a.rows.length)
    const where = detail === "" ? "" : ` (${rows.length > 1 ? `first: ` : ""}${detail})`
    const others = all.slice(1).flatMap(({ rows }) => rows)
    const more = others.length === 0 ? "" : `; ${others.length} further rows have other faults`
    const { message } = rowsError(reason, this.table, rows, `: ${what}`, `${where}; ${advice}${more}`)
    throw new DataError({ reason, message, rows: [...rows, ...others].sort((a, b) => a - b) })
  }
}
