/**
 * Characters as UTF-8, and as they stand in a string of JSON.
 * @module
 */
import { all, any, bytes, type Expression, literal } from "../expression.ts"

/** Code points from one to another, both included. */
export type Range = readonly [from: number, to: number]

/** All code points but the halves of surrogate pairs. */
export const ALL: ReadonlyArray<Range> = [[0, 0xd7ff], [0xe000, 0x10ffff]]

/** What the ranges have in common with a few others. */
const common = (a: ReadonlyArray<Range>, b: ReadonlyArray<Range>): ReadonlyArray<Range> =>
  a.flatMap(([from, to]) =>
    b.map(([low, high]): Range => [Math.max(from, low), Math.min(to, high)]).filter(([from, to]) => from <= to)
  )

/** All code points that are in none of the ranges. */
export function others(ranges: ReadonlyArray<Range>): ReadonlyArray<Range> {
  const left: Array<Range> = []
  let next = 0
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (from > next) left.push([next, from - 1])
    next = Math.max(next, to + 1)
  }
  return common([...left, [next, 0x10ffff]], ALL)
}

/** Lengths of UTF-8: the last code point, and the marks of the first byte. */
const LENGTHS = [[0x7f, 0], [0x7ff, 0xc0], [0xffff, 0xe0], [0x10ffff, 0xf0]] as const

/** One character of these ranges, in UTF-8. */
function utf8(ranges: ReadonlyArray<Range>): ReadonlyArray<Expression> {
  return LENGTHS.flatMap(([last, mark], more) => {
    const own = common(common(ranges, ALL), [[more === 0 ? 0 : LENGTHS[more - 1][0] + 1, last]])
    return own.map(([from, to]) => sequence(from, to, more, mark))
  })
}

/** Characters from one to another that have `more` bytes after the first. */
function sequence(from: number, to: number, more: number, mark: number): Expression {
  const size = 64 ** more
  const [low, high] = [Math.floor(from / size), Math.floor(to / size)]
  if (more === 0) return bytes([mark + low, mark + high])
  const part = (first: number, last: number, from: number, to: number) =>
    all(bytes([mark + first, mark + last]), sequence(from, to, more - 1, 0x80))
  if (low === high) return part(low, low, from % size, to % size)
  // Whole blocks are one alternative; the first and the last one may be parts.
  const [first, last] = [from % size === 0 ? low : low + 1, to % size === size - 1 ? high : high - 1]
  return any(
    ...first > low ? [part(low, low, from % size, size - 1)] : [],
    ...first <= last ? [part(first, last, 0, size - 1)] : [],
    ...last < high ? [part(high, high, 0, to % size)] : [],
  )
}

/** Characters that JSON writes with a backslash, and how. */
const ESCAPED: ReadonlyMap<number, string> = new Map(
  [...Array.from({ length: 32 }, (_, code) => code), 0x22, 0x5c].map((code) => [
    code,
    JSON.stringify(String.fromCharCode(code)).slice(1, -1),
  ]),
)

/** What stands in a string of JSON as it is. */
const PLAIN = others([...ESCAPED.keys()].map((code): Range => [code, code]))

/** One character of these ranges in a string of JSON, written as `JSON.stringify` does. */
export function jsonCharacter(ranges: ReadonlyArray<Range>): Expression {
  const escaped = [...ESCAPED].filter(([code]) => ranges.some(([from, to]) => from <= code && code <= to))
  return any(...utf8(common(ranges, PLAIN)), ...escaped.map(([, text]) => literal(text)))
}

/** Any character in a string of JSON. */
export const ANY_CHARACTER: Expression = jsonCharacter(ALL)
