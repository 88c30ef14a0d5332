import { errorOffset } from "../../../formats/json/json_file.ts"

/** The start of a JSON string, a number, or a word that only Python's JSON has. */
const TOKEN = /"|-?(?:Infinity|NaN)\b|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** A number that may lose digits. Tested first, as most texts have none. */
const MAY_LOSE = /[:,[]\s*(?:-0|-?\d+(?:[.eE]|\d{15}))/

const keepsItsText = (token: string): boolean => {
  const value = Number(token)
  if (!Number.isFinite(value)) return false
  return String(value) === token && (!Number.isInteger(value) || Number.isSafeInteger(value))
}

/** The end of the string that begins at `start`; 0 if it is not closed. */
const stringEnd = (text: string, start: number): number => {
  let at = start
  do {
    at = text.indexOf('"', at + 1)
    let escapes = 0
    while (text[at - 1 - escapes] === "\\") escapes++
    if (escapes % 2 === 0) return at + 1
  } while (at > 0)
  return text.length
}

/** Stands before the text of a number, between parsing and the end of it. */
const MARK = "\ufdd0number\ufdd0"

/** Keys of objects and lists whose value is the text of a number. */
const numerals = new WeakMap<object, Set<string>>()

/** Whether a text in an object or a list of a file is a number there, which JavaScript would write otherwise. */
export const isNumeral = (holder: object, key: string | number): boolean =>
  numerals.get(holder)?.has(String(key)) ?? false

/** Says of a copy which of its texts are numbers in the file. */
export const keepNumerals = <A extends object>(from: object, copy: A): A => {
  const found = numerals.get(from)
  if (found !== undefined) numerals.set(copy, found)
  return copy
}

function unmark(this: unknown, key: string, value: unknown): unknown {
  if (typeof value !== "string" || !value.startsWith(MARK)) return value
  const holder = this as object
  if (!numerals.has(holder)) numerals.set(holder, new Set())
  numerals.get(holder)!.add(key)
  return value.slice(MARK.length)
}

/** JSON with strings in place of numbers whose text would be lost, and null in place of NaN and Infinity. */
const withTexts = (text: string): string => {
  const parts: Array<string> = []
  let from = 0
  TOKEN.lastIndex = 0
  for (let found = TOKEN.exec(text); found !== null; found = TOKEN.exec(text)) {
    const [token] = found
    if (token === '"') {
      TOKEN.lastIndex = stringEnd(text, found.index)
      if (TOKEN.lastIndex === 0) break
    } else if (!keepsItsText(token)) {
      parts.push(text.slice(from, found.index), /[NI]/.test(token) ? "null" : `"${MARK}${token}"`)
      from = TOKEN.lastIndex
    }
  }
  return parts.join("") + text.slice(from)
}

/**
 * Parses JSON. A number that JavaScript would write otherwise (1.0, 1e3, -0, an id beyond 2^53) becomes its text, so no digit
 * is lost. NaN and Infinity, which Python writes, become null, as pandas writes them.
 *
 * @throws SyntaxError that says what is wrong and the likely reason.
 */
export const parseJsonValue = (text: string): unknown => {
  try {
    return MAY_LOSE.test(text) ? JSON.parse(withTexts(text), unmark) : JSON.parse(text)
  } catch {
    if (/\b(?:NaN|Infinity)\b/.test(text)) {
      try {
        return JSON.parse(withTexts(text), unmark)
      } catch {
        // Reported below.
      }
    }
    throw new SyntaxError(faultOf(text))
  }
}

/** Describes the first error of a text that is not JSON. */
const faultOf = (text: string): string => {
  const offset = errorOffset(text)
  const before = text.slice(0, offset)
  const line = before.split("\n").length
  const at = `${line > 1 ? `line ${line}, ` : ""}column ${offset - before.lastIndexOf("\n")}`
  const rest = text.slice(offset)
  return `not JSON from ${at} on: ${reasonOf(before.trimEnd(), rest)}`
}

const reasonOf = (before: string, rest: string): string => {
  const found = JSON.stringify(rest.slice(0, 20).split("\n")[0])
  if (rest.trim() === "") return "it ends in the middle; was it cut off?"
  if (rest[0] === "'") return `${found} is in single quotes; if Python printed it, write it with json.dumps`
  if (/^(?:None|True|False)\b/.test(rest)) return `${found} is Python's; write it with json.dumps`
  if (/^[}\]]/.test(rest) && before.endsWith(",")) return `a comma stands before ${rest[0]}`
  if (/^(?:\/\/|\/\*|#)/.test(rest)) return "JSON has no comments"
  if (rest[0] === '"' && stringEnd(rest, 0) === 0) {
    return `the text ${found} is not closed: was it cut off, or does a line end stand in it?`
  }
  if (rest[0] === '"') {
    return `the text ${found} holds a control character or an unknown escape, or a quote in it has no \\ before it`
  }
  if (/^[{[]/.test(rest) && /[}\]]$/.test(before)) return "another value follows without a comma"
  if (rest[0] === "," && /[}\]]$/.test(before)) return "a comma follows where the value has ended"
  return `${found} cannot stand there`
}
