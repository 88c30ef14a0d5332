import { type Fault, malformed, type Table, tableOf } from "../../table/table.ts"
import type { TextOptions } from "../../table/text_options.ts"
import { namedRows } from "./json_forms.ts"
import { parseJsonValue } from "./json_value.ts"
import { LINE_END } from "../delimited/line_ends.ts"

/**
 * The table of a text with one JSON object a line, counted from `first` on. A lone carriage return ends a line too: JSON strings
 * hold none.
 */
export const tableOfLines = (text: string, source: string, options: TextOptions, first = 1): Table => {
  const values: Array<unknown> = []
  const places: Array<number> = []
  const faults: Array<Fault> = []
  text.split(LINE_END).forEach((line, index) => {
    if (line.trim() === "") return
    try {
      values.push(parseJsonValue(line))
      places.push(index + first)
    } catch (cause) {
      faults.push({ place: index + first, what: (cause as Error).message })
    }
  })
  if (values.length === 0 && faults.length > 0) {
    throw malformed(
      source,
      "line",
      faults,
      "; none of its lines is JSON: if it is a file of another kind, give its format (option format)",
    )
  }
  return tableOf(namedRows(values, options.header), source, places, "line", faults)
}
