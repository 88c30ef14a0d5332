/**
 * Calls as JSON: `{"name": ..., "arguments": {...}}`, or with `parameters` for `arguments`, one or a list of them.
 * @module
 */
import type { TextForm } from "../../../core/inference/text/mod.ts"
import type { Call, CalledFunction } from "./call_spelling.ts"

/**
 * Goes through a text of JSON, past its strings, to the first character that is wanted; -1 where none is. `depth` counts lists
 * and objects that are open after the character.
 */
export function findOutside(text: string, wanted: (at: number, depth: number) => boolean): number {
  let [depth, quoted] = [0, false]
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') quoted = !quoted
    else if (quoted) at += character === "\\" ? 1 : 0
    else {
      if (character === "{" || character === "[") depth++
      else if (character === "}" || character === "]") depth--
      if (wanted(at, depth)) return at
    }
  }
  return -1
}

/** Length of the list or object that a text of JSON begins with; 0 where its end is not there. */
export const jsonLength = (text: string): number => findOutside(text, (_, depth) => depth === 0) + 1

/** What stands between the commas of a list or an object. */
function partsOf(json: string): ReadonlyArray<string> {
  const cuts = [0]
  findOutside(json, (at, depth) => {
    if (depth === 1 && json[at] === ",") cuts.push(at)
    return false
  })
  return cuts.map((cut, i) => json.slice(cut + 1, cuts[i + 1] ?? json.length - 1))
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A call of valid JSON. Its arguments are kept as they are written, with all digits of their numbers. */
function callOf(json: string): Call | undefined {
  const value: unknown = JSON.parse(json)
  if (!isObject(value) || typeof value.name !== "string" || value.name === "") return
  const key = Object.hasOwn(value, "arguments") ? "arguments" : "parameters"
  if (!isObject(value[key])) return
  const found = partsOf(json).findLast((part) => {
    const colon = findOutside(part, (at) => part[at] === ":")
    return JSON.parse(part.slice(0, colon)) === key
  })!
  return { name: value.name, arguments: found.slice(findOutside(found, (at) => found[at] === ":") + 1).trim() }
}

/** The calls of a text that is all JSON; undefined where it is not, or not all of it is calls. */
export function jsonCalls(text: string): ReadonlyArray<Call> | undefined {
  const json = text.trim()
  try {
    const value: unknown = JSON.parse(json)
    const calls = (Array.isArray(value) ? partsOf(json) : [json]).map(callOf)
    return calls.every((call) => call !== undefined) ? calls : undefined
  } catch {
    return undefined
  }
}

/** A call of one of some functions, as JSON; `key` is the name that its arguments have. */
export const callForm = (functions: ReadonlyArray<CalledFunction>, key: string): TextForm => ({
  any: functions.map(({ name, parameters, at }) => ({
    all: [`{"name": ${JSON.stringify(name)}, "${key}": `, { schema: parameters, name: at }, "}"],
  })),
})

/** Once, or as often as the model likes. */
export const oneOrSeveral = (form: TextForm, between: string, several: boolean): TextForm =>
  several ? { several: form, between } : form
