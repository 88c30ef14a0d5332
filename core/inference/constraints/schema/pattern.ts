import { all, any, EMPTY, type Expression, repeat } from "../expression.ts"
import { ANY_CHARACTER, others, type Range } from "./characters.ts"
import type { Compiler } from "./compiler.ts"

/** Strings of JSON that a regular expression finds something in, without the quotes. */
export interface Pattern {
  readonly expression: Expression
  /** Fewest and most characters. */
  readonly least: number
  readonly most: number
}

const SPACES: ReadonlyArray<Range> = Array.from(
  "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff",
  (space) => [space.codePointAt(0)!, space.codePointAt(0)!],
)
const LINE_ENDS: ReadonlyArray<Range> = [[10, 10], [13, 13], [0x2028, 0x2029]]
const DIGITS: ReadonlyArray<Range> = [[48, 57]]
const WORDS: ReadonlyArray<Range> = [[48, 57], [65, 90], [95, 95], [97, 122]]

/** Classes and single characters that are written with a backslash and a letter. */
const LETTERS: Readonly<Record<string, ReadonlyArray<Range>>> = {
  d: DIGITS,
  D: others(DIGITS),
  w: WORDS,
  W: others(WORDS),
  s: SPACES,
  S: others(SPACES),
  n: [[10, 10]],
  r: [[13, 13]],
  t: [[9, 9]],
  f: [[12, 12]],
  v: [[11, 11]],
  0: [[0, 0]],
}

const NOTHING: Pattern = { expression: EMPTY, least: 0, most: 0 }
const ANYTHING: Pattern = { expression: repeat(ANY_CHARACTER, 0), least: 0, most: Infinity }

const inOrder = (parts: ReadonlyArray<Pattern>): Pattern => ({
  expression: all(...parts.map(({ expression }) => expression)),
  least: parts.reduce((sum, { least }) => sum + least, 0),
  most: parts.reduce((sum, { most }) => sum + most, 0),
})

const oneOf = (parts: ReadonlyArray<Pattern>): Pattern =>
  parts.length === 1 ? parts[0] : {
    expression: any(...parts.map(({ expression }) => expression)),
    least: Math.min(...parts.map(({ least }) => least)),
    most: Math.max(...parts.map(({ most }) => most)),
  }

/** The pattern of a regular expression as ECMAScript writes it. Throws an Error that says what of it is not supported. */
export function patternOf(source: string, { character }: Pick<Compiler, "character">): Pattern {
  // What is no regular expression is one error, what is not read here another.
  new RegExp(source, "u")
  const reader = new Reader(Array.from(source), character)
  const pattern = reader.alternatives(true)
  reader.end()
  return pattern
}

/** Most groups within each other. */
const DEEPEST = 100

/** Reads a regular expression that is well formed. */
class Reader {
  private at = 0
  private depth = 0
  constructor(private readonly source: ReadonlyArray<string>, private readonly made: Compiler["character"]) {}

  private next = (): string | undefined => this.source[this.at]
  private take = (text: string): boolean => {
    const found = this.source.slice(this.at, this.at + text.length).join("") === text
    if (found) this.at += text.length
    return found
  }
  end(): void {
    if (this.next() !== undefined) this.refuse(this.next()!)
  }
  private refuse(what: string): never {
    throw new Error(`"${what}" at character ${this.at}`)
  }

  /** Alternatives; those of the whole (`outer`) may have anchors, and begin and end anywhere without. */
  alternatives(outer: boolean): Pattern {
    const found: Array<Pattern> = []
    do {
      const begins = outer && this.take("^")
      const parts: Array<Pattern> = []
      while (![undefined, "|", ")", "$"].includes(this.next())) parts.push(this.quantified())
      const ends = outer && this.take("$")
      found.push(outer ? inOrder([begins ? NOTHING : ANYTHING, ...parts, ends ? NOTHING : ANYTHING]) : inOrder(parts))
    } while (this.take("|"))
    return oneOf(found)
  }

  private quantified(): Pattern {
    const part = this.atom()
    const [least, most] = this.counts() ?? [1, 1]
    this.take("?")
    if (least === 1 && most === 1) return part
    const times = (length: number, count: number) => length === 0 || count === 0 ? 0 : length * count
    return {
      expression: repeat(part.expression, least, most),
      least: times(part.least, least),
      most: times(part.most, most),
    }
  }

  private counts(): readonly [number, number] | undefined {
    if (this.take("*")) return [0, Infinity]
    if (this.take("+")) return [1, Infinity]
    if (this.take("?")) return [0, 1]
    if (!this.take("{")) return
    const close = this.source.indexOf("}", this.at)
    const [least, most = least] = this.source.slice(this.at, close).join("").split(",")
    this.at = close + 1
    return [Number(least), most === "" ? Infinity : Number(most)]
  }

  private atom(): Pattern {
    if (this.take("(")) {
      if (!this.take("?:") && this.take("?")) this.refuse("(?")
      if (++this.depth > DEEPEST) throw new Error(`more than ${DEEPEST} groups within each other`)
      const inner = this.alternatives(false)
      this.depth--
      if (!this.take(")")) this.refuse(this.next()!)
      return inner
    }
    const one = (ranges: ReadonlyArray<Range>): Pattern => ({ expression: this.made(ranges), least: 1, most: 1 })
    if (this.take("[")) return one(this.set())
    if (this.take(".")) return one(others(LINE_ENDS))
    if (this.next() === "^") this.refuse("^")
    return one(this.character())
  }

  private set(): ReadonlyArray<Range> {
    const negated = this.take("^")
    const ranges: Array<Range> = []
    while (!this.take("]")) {
      const from = this.character(true)
      const range = this.next() === "-" && this.source[this.at + 1] !== "]"
      if (!range) {
        ranges.push(...from)
        continue
      }
      this.at++
      ranges.push([from[0][0], this.character(true)[0][0]])
    }
    return negated ? others(ranges) : ranges
  }

  /** A character, or those that a backslash and a letter stand for. */
  private character(inSet = false): ReadonlyArray<Range> {
    const character = this.source[this.at++]
    if (character !== "\\") return single(character.codePointAt(0)!)
    const letter = this.source[this.at++]
    const known = LETTERS[letter]
    if (known !== undefined) return known
    if (letter === "b" && inSet) return single(8)
    if (letter === "u" || letter === "x") return single(this.code(letter === "u" ? 4 : 2))
    if (/[a-zA-Z0-9]/.test(letter)) this.refuse(`\\${letter}`)
    return single(letter.codePointAt(0)!)
  }

  private code(length: number): number {
    const braces = this.take("{")
    const end = braces ? this.source.indexOf("}", this.at) : this.at + length
    const code = parseInt(this.source.slice(this.at, end).join(""), 16)
    this.at = braces ? end + 1 : end
    if (code < 0xd800 || code > 0xdfff) return code
    return this.refuse("half of a surrogate pair")
  }
}

const single = (code: number): ReadonlyArray<Range> => [[code, code]]
