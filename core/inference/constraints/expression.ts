/**
 * Languages of bytes: what a text that is held to a grammar is made of. An expression says what may begin it and what is left
 * then, as Brzozowski's and Antimirov's derivatives do (1964, 1996); recursion makes the languages context-free.
 * @module
 */

/** A part of a language. */
export interface Expression {
  /** What it begins with, before the rest: a byte, or other expressions in its place. */
  readonly begin: <Rest extends object>(
    rest: Rest,
    before: (part: Expression, rest: Rest) => Rest,
  ) => ReadonlyArray<Rest | Edge<Rest>>
  /** How much work `begin` is, in edges that are looked at. Default: as much as it gives. */
  readonly work?: number
  /** Expressions that it is made of. */
  readonly parts: () => ReadonlyArray<Expression>
  /** Whether it has a text, if these parts have one. */
  readonly possible: (is: (part: Expression) => boolean) => boolean
}

/** One of some bytes, then a rest. */
export interface Edge<Rest> {
  readonly bytes: Uint8Array
  readonly to: Rest
}

/** Whether what begins an expression is a byte. */
export const isEdge = <Rest extends object>(first: Rest | Edge<Rest>): first is Edge<Rest> => "bytes" in first

/** One of the bytes in these ranges, ends included. */
export function bytes(...ranges: ReadonlyArray<readonly [from: number, to: number]>): Expression {
  const all = Uint8Array.from(ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)))
  return byteOf(all)
}

const byteOf = (all: Uint8Array): Expression => ({
  begin: (rest) => [{ bytes: all, to: rest }],
  parts: () => [],
  possible: (is) => all.some((byte) => is(BYTES[byte])),
})

/** Each byte alone, so that an alphabet is what of these is possible. */
export const BYTES: ReadonlyArray<Expression> = Array.from({ length: 256 }, (_, byte): Expression => ({
  begin: (rest) => [{ bytes: Uint8Array.of(byte), to: rest }],
  parts: () => [],
  possible: () => false,
}))

/** All in order. */
export const all = (...items: ReadonlyArray<Expression>): Expression => ({
  begin: (rest, before) => [items.reduceRight((tail, item) => before(item, tail), rest)],
  parts: () => items,
  possible: (is) => items.every(is),
})

/** One of these. */
export const any = (...items: ReadonlyArray<Expression>): Expression => ({
  begin: (rest, before) => items.map((item) => before(item, rest)),
  parts: () => items,
  possible: (is) => items.some(is),
})

/** Nothing. */
export const EMPTY: Expression = all()

/** A text. */
export const literal = (text: string): Expression => all(...Array.from(utf8.encode(text), (byte) => BYTES[byte]))

const utf8 = new TextEncoder()

/** An expression several times, from `least` to `most`. */
export function repeat(item: Expression, least: number, most: number = Infinity): Expression {
  if (most === 0) return EMPTY
  let fewer: Expression | undefined
  const self: Expression = {
    begin: (rest, before) => {
      fewer ??= least === 0 && most === Infinity ? self : repeat(item, Math.max(0, least - 1), most - 1)
      return [before(item, before(fewer, rest)), ...least === 0 ? [rest] : []]
    },
    parts: () => [item],
    possible: (is) => least === 0 || is(item),
  }
  return self
}

/** Perhaps an expression. */
export const optional = (item: Expression): Expression => any(item, EMPTY)

/** An expression that is made when it is first needed: for recursion. */
export function rule(make: () => Expression): Expression {
  let made: Expression | undefined
  const get = () => made ??= make()
  return {
    begin: (rest, before) => [before(get(), rest)],
    parts: () => [get()],
    possible: (is) => is(get()),
  }
}

/** What may follow the beginning of a text. */
export interface Growth {
  /** Whether the text may end here. */
  readonly ends: boolean
  /** Characters of ASCII that may come next: each leads to a text of the language. */
  readonly next: string
}

/** Work of what may follow a text, as numbers have it. */
const GROWTH = 1500

/** A language of ASCII that is given by what may follow each beginning; of the characters `letters`. */
export function grown(letters: string, grow: (text: string) => Growth): Expression {
  const known = new Map<string, Expression>()
  const from = (text: string): Expression => {
    const { ends, next } = grow(text)
    const self: Expression = {
      work: GROWTH,
      begin: (rest, before) => [
        ...Array.from(next, (letter) => ({
          bytes: utf8.encode(letter),
          to: before(known.get(text + letter) ?? from(text + letter), rest),
        })),
        ...ends ? [rest] : [],
      ],
      parts: () => [],
      possible: (is) => (ends || next !== "") && Array.from(letters).every((one) => is(BYTES[one.charCodeAt(0)])),
    }
    known.set(text, self)
    return self
  }
  return from("")
}
