/** A field, if quotes enclose fields. */
export interface Field {
  /** The line on which it begins. */
  readonly line: number
  /** Number of its column, from 0. */
  readonly column: number
  /** Its text; doubled quotes stay doubled. */
  readonly text: string
  /** In quotes; without a quote first; with text after its closing quote; never closed (then it ends with its line). */
  readonly kind: "quoted" | "plain" | "trailing" | "open"
  /** Whether it is open because no further quote follows: text behind the end may close it. */
  readonly endless: boolean
}

/** Offset of the quote that closes the one at `start`; -1 if there is none. */
const closingQuote = (text: string, start: number): number => {
  let at = text.indexOf('"', start + 1)
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2)
  return at
}

/**
 * Visits all fields of a text (line ends are "\n") and the end of each record, as if quotes enclosed fields. csv-parse does
 * the reading; but it stops at the first error and does not say which fields were quoted.
 */
export const walkFields = (
  text: string,
  delimiter: string,
  visit: (field: Field) => void,
  endRecord: (line: number, count: number) => void,
): void => {
  let [nextDelimiter, nextLine] = [-1, -1]
  const next = (what: string, from: number) => {
    const found = text.indexOf(what, from)
    return found < 0 ? text.length : found
  }
  const fieldEnd = (from: number): number => {
    if (nextDelimiter < from) nextDelimiter = next(delimiter, from)
    if (nextLine < from) nextLine = next("\n", from)
    return Math.min(nextDelimiter, nextLine)
  }
  let [at, line, column, begin] = [0, 1, 0, 1]
  while (at <= text.length) {
    const close = text[at] === '"' ? closingQuote(text, at) : -1
    let end = fieldEnd(close < 0 ? at : close + 1)
    let kind: Field["kind"] = text[at] !== '"'
      ? "plain"
      : close < 0
      ? "open"
      : end === close + 1
      ? "quoted"
      : "trailing"
    let content = text.slice(at + 1, close)
    if (kind === "trailing" && content.includes("\n")) {
      kind = "open"
      nextDelimiter = nextLine = -1
      end = fieldEnd(at)
    }
    if (kind === "plain" || kind === "open") content = text.slice(at, end)
    visit({ line, column, text: content, kind, endless: kind === "open" && close < 0 })
    if (kind === "quoted") line += content.split("\n").length - 1
    column++
    if (end < nextLine) at = end + delimiter.length
    else {
      endRecord(begin, column)
      at = end + 1
      begin = ++line
      column = 0
      if (at === text.length) return
    }
  }
}
