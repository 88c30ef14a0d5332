import type { Fields } from "./fields.ts"
import { readKind } from "./normalizers.ts"
import { matchesOf, readPattern } from "./text/patterns.ts"
import { remembered } from "./text/remembered.ts"
import { byteCharacters, escapePattern, PUNCTUATION, SPACE, WORD } from "./text/unicode.ts"

/** Takes the pieces of a text; `begins` tells how many of a piece's first code units stand where the text begins. */
export type Sink = (piece: string, begins: number) => void
/** Cuts what it is given, for the next to take. */
export type PreTokenizer = (next: Sink) => Sink

/** What becomes of the parts that a pattern finds. */
const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const
type Behavior = typeof BEHAVIORS[number]

/** All of a text as starts, ends and whether it was found (1 or 0), three numbers a part. */
const partsOf = (text: string, pattern: RegExp, invert: boolean): Array<number> => {
  const parts: Array<number> = []
  const [found, between] = invert ? [0, 1] : [1, 0]
  let end = 0
  for (const match of matchesOf(text, pattern)) {
    const start = match.index
    if (start > end) parts.push(end, start, between)
    end = start + match[0].length
    parts.push(start, end, found)
  }
  if (end < text.length) parts.push(end, text.length, between)
  return parts
}

/** Joins parts by a behavior: starts and ends. */
const joined = (parts: ReadonlyArray<number>, behavior: Behavior): Array<number> => {
  const cuts: Array<number> = []
  const count = parts.length / 3
  let before = 0
  for (let step = 0; step < count; step++) {
    const at = 3 * (behavior === "MergedWithNext" ? count - 1 - step : step)
    const [start, end, found] = [parts[at], parts[at + 1], parts[at + 2]]
    const joins = behavior === "Contiguous" ? found === before : found === 1 && before === 0
    if (!joins || cuts.length === 0) cuts.push(start, end)
    else if (behavior === "MergedWithNext") cuts[cuts.length - 2] = start
    else cuts[cuts.length - 1] = end
    before = found
  }
  return cuts
}

/** Cuts by a pattern. */
const splitBy = (pattern: RegExp, behavior: Behavior, invert = false): PreTokenizer => (next) => (text, begins) => {
  const emit = (start: number, end: number): void => {
    if (end > start) {
      next(start === 0 && end === text.length ? text : text.slice(start, end), Math.max(0, begins - start))
    }
  }
  const parts = partsOf(text, pattern, invert)
  if (behavior === "Removed" || behavior === "Isolated") {
    for (let at = 0; at < parts.length; at += 3) {
      if (behavior === "Isolated" || parts[at + 2] === 0) emit(parts[at], parts[at + 1])
    }
    return
  }
  const cuts = joined(parts, behavior)
  const [first, step] = behavior === "MergedWithNext" ? [cuts.length - 2, -2] : [0, 2]
  for (let at = first; at >= 0 && at < cuts.length; at += step) emit(cuts[at], cuts[at + 1])
}

const set = (characters: string, more = ""): RegExp => new RegExp(`[${characters}]${more}`, "gu")

const WORDS = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`,
  "gu",
)

const byteLevel = (fields: Fields): PreTokenizer => {
  const space = fields.boolean("add_prefix_space")
  const regex = fields.boolean("use_regex", true)
  // It moves offsets alone.
  fields.boolean("trim_offsets")
  const spell = remembered(byteCharacters)
  return (next) => (text, begins) => {
    if (space && !text.startsWith(" ")) text = ` ${text}`
    if (!regex) return next(spell(text), begins)
    let first = begins
    for (const word of text.match(WORDS) ?? []) {
      next(spell(word), first)
      first = Math.max(0, first - word.length)
    }
  }
}

const SCHEMES = ["first", "never", "always"] as const

/** How a Metaspace writes the first space; older files say it by "add_prefix_space". */
export const readScheme = (fields: Fields): typeof SCHEMES[number] => {
  const scheme = fields.choice("prepend_scheme", SCHEMES, "always")
  const space = fields.optional("add_prefix_space", fields.boolean)
  if (space !== false || scheme === "never") return scheme
  if (fields.value.prepend_scheme === undefined) {
    fields.notes.push(
      `${fields.where}: "add_prefix_space" is false, so no space is put first; newer files say "prepend_scheme"`,
    )
    return "never"
  }
  throw fields.error("add_prefix_space", `is false while "prepend_scheme" is ${JSON.stringify(scheme)}`)
}

const metaspace = (fields: Fields): PreTokenizer => {
  const mark = fields.character("replacement")
  const scheme = readScheme(fields)
  const split = fields.optional("split", fields.boolean) ?? true
  fields.ignore("str_rep")
  const cut = splitBy(new RegExp(escapePattern(mark), "gu"), "MergedWithNext")
  return (next) => {
    const take = split ? cut(next) : next
    return (text, begins) => {
      text = text.replaceAll(" ", () => mark)
      const marked = scheme === "always" || scheme === "first" && begins > 0
      if (!marked || text.startsWith(mark)) return take(text, begins)
      take(mark + text, begins > 0 ? begins + mark.length : 0)
    }
  }
}

const fixedLength = (fields: Fields): PreTokenizer => {
  const length = fields.count("length", 5)
  if (length === 0) throw fields.error("length", "must be from 1 on")
  return splitBy(new RegExp(`[^]{1,${length}}`, "gu"), "Isolated")
}

/** One after the other. */
const chain = (parts: ReadonlyArray<PreTokenizer>): PreTokenizer => (next) =>
  parts.reduceRight((sink, part) => part(sink), next)

const KINDS: Readonly<Record<string, (fields: Fields) => PreTokenizer>> = {
  BertPreTokenizer: () => chain([splitBy(set(SPACE), "Removed"), splitBy(set(PUNCTUATION), "Isolated")]),
  ByteLevel: byteLevel,
  CharDelimiterSplit: (fields) => splitBy(new RegExp(escapePattern(fields.character("delimiter")), "gu"), "Removed"),
  Metaspace: metaspace,
  Whitespace: () =>
    splitBy(new RegExp(`[${WORD}\\u200c\\u200d]+|[^${WORD}\\u200c\\u200d${SPACE}]+`, "gu"), "Removed", true),
  WhitespaceSplit: () => splitBy(set(SPACE), "Removed"),
  Sequence: (fields) => chain(fields.items("pretokenizers").map(readPreTokenizer)),
  Split: (fields) => splitBy(readPattern(fields), fields.choice("behavior", BEHAVIORS), fields.boolean("invert")),
  Punctuation: (fields) => splitBy(set(PUNCTUATION), fields.choice("behavior", BEHAVIORS, "Isolated")),
  Digits: (fields) => splitBy(set("\\p{N}"), fields.boolean("individual_digits") ? "Isolated" : "Contiguous"),
  FixedLength: fixedLength,
}

/** The pre-tokenizer of a tokenizer.json. */
export const readPreTokenizer = (fields: Fields): PreTokenizer => readKind(fields, KINDS)
