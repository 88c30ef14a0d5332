import { quoted } from "../../data_error.ts"
import { type Fields, tokenizerError } from "../fields.ts"
import { escapePattern, SPACE, WORD } from "./unicode.ts"

/** The pattern of a Split or Replace: a text as it stands, or a regular expression. */
export const readPattern = (fields: Fields): RegExp => {
  const pattern = fields.fields("pattern")
  const text = pattern.optional("String", pattern.string)
  if (text !== undefined) return new RegExp(escapePattern(text), "gu")
  return translate(pattern.string("Regex"), pattern.where)
}

/**
 * Matches of a pattern, one at a time. As in the reference, an empty one right behind another does not count, nor any in an
 * empty text.
 */
export function* matchesOf(text: string, pattern: RegExp): Generator<RegExpExecArray> {
  if (text === "") return
  let end = -1
  for (const match of text.matchAll(pattern)) {
    if (match[0] === "" && match.index === end) continue
    end = match.index + match[0].length
    yield match
  }
}

/** Puts a text in the place of each match. */
export const replaceMatches = (text: string, pattern: RegExp, content: string): string => {
  let done = ""
  let end = 0
  for (const match of matchesOf(text, pattern)) {
    done += text.slice(end, match.index) + content
    end = match.index + match[0].length
  }
  return done + text.slice(end)
}

/**
 * A regular expression of Oniguruma's syntax (which the reference library uses) as JavaScript's. What is not known to mean
 * the same is an error.
 */
const translate = (source: string, where: string): RegExp => {
  const problem = (what: string) =>
    tokenizerError(`${where}: ${what} in the regular expression ${JSON.stringify(source)} is not known here`)
  const js = new Translation(source, problem).all()
  try {
    return new RegExp(js, "gv")
  } catch (cause) {
    throw tokenizerError(`${where}: the regular expression ${JSON.stringify(source)} cannot be read here`, cause)
  }
}

/** Outside of brackets, the reference takes a few more numbers of Latin-1 for letters. */
const LONE_WORD = `${WORD}\\xB2\\xB3\\xB9\\xBC-\\xBE`

const ESCAPES: Readonly<Record<string, string>> = {
  s: `[${SPACE}]`,
  S: `[^${SPACE}]`,
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  w: `[${LONE_WORD}]`,
  W: `[^${LONE_WORD}]`,
  h: "[0-9A-Fa-f]",
  H: "[^0-9A-Fa-f]",
  n: "\\n",
  r: "\\r",
  t: "\\t",
  f: "\\f",
  v: "\\v",
  a: "\\x07",
  e: "\\x1B",
  A: "(?<![\\s\\S])",
  z: "(?![\\s\\S])",
  Z: "(?=\\n?(?![\\s\\S]))",
  b: `(?:(?<=[${LONE_WORD}])(?![${LONE_WORD}])|(?<![${LONE_WORD}])(?=[${LONE_WORD}]))`,
  B: `(?:(?<=[${LONE_WORD}])(?=[${LONE_WORD}])|(?<![${LONE_WORD}])(?![${LONE_WORD}]))`,
}
/** Those that stand for one character, so may stand within brackets. */
const IN_BRACKETS = "sSdDwWhHnrtfvae"

const POSIX: Readonly<Record<string, string>> = {
  alpha: "\\p{Alphabetic}",
  alnum: "\\p{Alphabetic}\\p{Nd}",
  digit: "\\p{Nd}",
  lower: "\\p{Lowercase}",
  upper: "\\p{Uppercase}",
  space: SPACE,
  punct: "\\p{P}\\p{S}",
  cntrl: "\\p{Cc}",
  word: WORD,
  xdigit: "0-9A-Fa-f",
}

/** Letters that are written as these two when case does not count; the reference then matches one for the other. */
const FOLDED_PAIRS = /ss|ff|fi|fl|st/i

class Translation {
  readonly #source: string
  readonly #problem: (what: string) => Error
  #at = 0
  #fold = false
  #groups = 0

  constructor(source: string, problem: (what: string) => Error) {
    this.#source = source
    this.#problem = problem
  }

  all(): string {
    const js = this.#alternatives()
    if (this.#at < this.#source.length) throw this.#problem('")" without "("')
    return js
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    const sticky = new RegExp(pattern.source, "yu")
    sticky.lastIndex = this.#at
    const found = sticky.exec(this.#source)
    if (found !== null) this.#at = sticky.lastIndex
    return found
  }

  /** Up to a ")" or the end. An option without a group, as "(?i)", holds up to there. */
  #alternatives(): string {
    const fold = this.#fold
    let js = ""
    while (this.#at < this.#source.length && this.#source[this.#at] !== ")") {
      if (this.#take(/\|/) !== null) js += "|"
      else if (this.#take(/\(\?i\)/) !== null) {
        this.#fold = true
        // In the reference, alternatives that follow belong to the option's group.
        js += `(?:${this.#alternatives()})`
      } else js += this.#quantified()
    }
    this.#fold = fold
    return js
  }

  #quantified(): string {
    let js = this.#atom()
    while (true) {
      const found = this.#take(/[*+?]|\{(?:\d+(?:,\d*)?|,\d+)\}/)
      if (found === null) return js
      const counts = found[0].replace("{,", "{0,")
      if (this.#take(/\?/) !== null) js = `(?:${js})${counts}?`
      else if (!counts.startsWith("{") && this.#take(/\+/) !== null) js = this.#atomic(`(?:${js})${counts}`)
      else js = `(?:${js})${counts}`
    }
  }

  /** What was matched is not given back: looked ahead at, then taken as it was seen. */
  #atomic(js: string): string {
    const name = `a${this.#groups++}`
    return `(?:(?=(?<${name}>${js}))\\k<${name}>)`
  }

  #atom(): string {
    const group = this.#take(/\((?:\?(?:[:=!>]|<[=!]|i:|<[A-Za-z_]\w*>))?/)
    if (group !== null) return this.#group(group[0])
    if (this.#take(/\[/) !== null) return this.#brackets()
    if (this.#take(/\./) !== null) return "[^\\n]"
    if (this.#take(/\^/) !== null) return "(?<![^\\n])"
    if (this.#take(/\$/) !== null) return "(?![^\\n])"
    const escape = this.#escape(false)
    if (escape !== undefined) return escape
    if (this.#take(/[*+?]/) !== null) throw this.#problem("a quantifier of nothing")
    const pair = this.#source.slice(this.#at, this.#at + 2)
    if (this.#fold && FOLDED_PAIRS.test(pair)) throw this.#problem(`${JSON.stringify(pair)} in any case`)
    return this.#literal(this.#take(/[\s\S]/)![0])
  }

  #group(opening: string): string {
    if (this.#source[this.#at] === "?") throw this.#problem(`"(${this.#source.slice(this.#at, this.#at + 3)}"`)
    const fold = this.#fold
    if (opening === "(?i:") this.#fold = true
    const inner = this.#alternatives()
    this.#fold = fold
    if (this.#take(/\)/) === null) throw this.#problem('"(" without ")"')
    if (opening === "(?>") return this.#atomic(`(?:${inner})`)
    return `${/^\(\?(?:[=!]|<[=!])/.test(opening) ? opening : "(?:"}${inner})`
  }

  /** One character, in any case where it does not count. */
  #literal(character: string): string {
    if (!this.#fold) return escapePattern(character)
    const cases = sameLetters(character)
    return cases.length === 1 ? escapePattern(character) : `[${cases.join("")}]`
  }

  #escape(within: boolean): string | undefined {
    const property = this.#take(/\\([pP])\{(\^?)([\w \-]+)\}/)
    if (property !== null) {
      const [, letter, not, name] = property
      const negated = (letter === "P") !== (not === "^")
      return `\\${negated ? "P" : "p"}{${this.#property(name)}}`
    }
    const code = this.#code()
    if (code !== undefined) return this.#literal(code)
    const escape = this.#take(/\\([\s\S])/)
    if (escape === null) return undefined
    const [, character] = escape
    if (/[^A-Za-z0-9]/.test(character)) return within ? escapeInBrackets(character) : escapePattern(character)
    if (within && /[wW]/.test(character)) return `[${character === "W" ? "^" : ""}${WORD}]`
    if (character in ESCAPES && (!within || IN_BRACKETS.includes(character))) return ESCAPES[character]
    throw this.#problem(JSON.stringify(escape[0]))
  }

  /** A character by its number. */
  #code(): string | undefined {
    const code = this.#take(/\\x\{([0-9A-Fa-f]+)\}|\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})/)
    return code === null ? undefined : String.fromCodePoint(parseInt(code[1] ?? code[2] ?? code[3], 16))
  }

  #property(name: string): string {
    for (
      const spelt of [name, `Script=${name}`, ...(POSIX[name.toLowerCase()]?.match(/^\\p\{(\w+)\}$/)?.slice(1) ?? [])]
    ) {
      try {
        new RegExp(`\\p{${spelt}}`, "v")
        return spelt
      } catch {
        // The next spelling.
      }
    }
    throw this.#problem(`"\\p{${name}}"`)
  }

  /** After "[": sets that are joined, with "&&" between those that meet. */
  #brackets(): string {
    const negated = this.#take(/\^/) !== null
    const sets: Array<string> = [""]
    for (let first = true; first || this.#take(/\]/) === null; first = false) {
      if (this.#at >= this.#source.length) throw this.#problem('"[" without "]"')
      if (this.#take(/&&/) !== null) sets.push("")
      else sets[sets.length - 1] += this.#member()
    }
    if (sets.includes("")) throw this.#problem("an empty set")
    const inner = sets.length === 1 ? sets[0] : sets.map((set) => `[${set}]`).join("&&")
    return `[${negated ? "^" : ""}${inner}]`
  }

  #member(): string {
    const posix = this.#take(/\[:(\^?)(\w+):\]/)
    if (posix !== null) {
      const set = POSIX[posix[2]]
      if (set === undefined) throw this.#problem(`"${posix[0]}"`)
      return `[${posix[1]}${set}]`
    }
    if (this.#take(/\[/) !== null) return this.#brackets()
    const from = this.#single()
    if (!/^-[^\]]/.test(this.#source.slice(this.#at, this.#at + 2)) || from === undefined) {
      return from === undefined ? this.#escape(true)! : this.#literalInBrackets(from)
    }
    this.#at++
    const to = this.#single()
    if (to === undefined) throw this.#problem("a range that ends in a set")
    if (this.#fold && (from + to).match(/^[a-z]+$|^[A-Z]+$|^[0-9]+$/) === null) {
      throw this.#problem(`the range ${quoted([from, to])} in any case`)
    }
    const range = `${escapeInBrackets(from)}-${escapeInBrackets(to)}`
    if (!this.#fold || /\d/.test(from)) return range
    const ends = [from.toLowerCase(), to.toLowerCase()]
    const folded = "\u017fs\u212ak".match(/../g)!.filter((pair) => ends[0] <= pair[1] && pair[1] <= ends[1])
    return `${ends.join("-")}${ends.map((end) => end.toUpperCase()).join("-")}${folded.map((pair) => pair[0]).join("")}`
  }

  #literalInBrackets(character: string): string {
    return (this.#fold ? sameLetters(character) : [character]).map(escapeInBrackets).join("")
  }

  /** A single character within brackets; undefined where a set or an escape for one begins. */
  #single(): string | undefined {
    const plain = this.#take(/[^\\[]/)
    if (plain !== null) return plain[0]
    const code = this.#code()
    if (code !== undefined) return code
    const control = this.#take(/\\([nrtfvae])/)
    if (control !== null) return CONTROLS[control[1]]
    return this.#take(/\\([^A-Za-z0-9])/)?.[1]
  }
}

const CONTROLS: Readonly<Record<string, string>> = Object.fromEntries(
  ["n\n", "r\r", "t\t", "f\f", "v\v", "a\x07", "e\x1b"].map(([letter, control]) => [letter, control]),
)

/** Within brackets with the "v" flag more characters have a meaning. */
const escapeInBrackets = (character: string): string =>
  /[!-/:-@[-`{-~]/.test(character) ? `\\u{${character.codePointAt(0)!.toString(16)}}` : character

/** A letter in all its cases. */
const sameLetters = (character: string): ReadonlyArray<string> => {
  const pattern = new RegExp(`^${escapePattern(character)}$`, "iu")
  const lower = character.toLowerCase()
  const cases = [lower, lower.toUpperCase(), "\u017f", "\u212a", "\u212b", "\u2126"]
  return [...new Set([character, ...cases])].filter((other) => pattern.test(other))
}
