import type { Call } from "./call_spelling.ts"

/** Lists and dictionaries within each other, at most. */
const DEPTH = 100

/** Words of Python, and those of JSON, as JSON. */
const WORDS: Readonly<Record<string, string>> = {
  ...{ True: "true", False: "false", None: "null" },
  ...{ true: "true", false: "false", null: "null" },
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", "\n": "" }

/** A text is not what it should be. */
class NoPython extends Error {}

/** Reads literals of Python as JSON. */
class Reader {
  private at = 0
  constructor(private readonly text: string) {}

  /** What a pattern finds here, past white space before it; undefined where it finds nothing. */
  take(pattern: RegExp): string | undefined {
    const sticky = new RegExp(`\\s*(${pattern.source})`, "y")
    sticky.lastIndex = this.at
    const found = sticky.exec(this.text)
    this.at += found?.[0].length ?? 0
    return found?.[1]
  }

  expect(pattern: RegExp): string {
    const found = this.take(pattern)
    if (found === undefined) throw new NoPython()
    return found
  }

  /** Items with commas between them, up to a bracket. */
  items<A>(end: RegExp, item: () => A): ReadonlyArray<A> {
    const all: Array<A> = []
    while (this.take(end) === undefined) {
      if (all.length > 0) {
        this.expect(/,/)
        if (this.take(end) !== undefined) break
      }
      all.push(item())
    }
    return all
  }

  private string(): string {
    const quote = this.expect(/["']/)
    let value = ""
    for (; this.at < this.text.length; this.at++) {
      const character = this.text[this.at]
      if (character === quote) {
        this.at++
        return JSON.stringify(value)
      }
      if (character !== "\\") value += character
      else value += this.escaped()
    }
    throw new NoPython()
  }

  /** The character that a backslash stands for; the last one of its writing is here then. */
  private escaped(): string {
    const code = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(000[0-9a-fA-F]{5}|0010[0-9a-fA-F]{4}))/y
    code.lastIndex = this.at
    const found = code.exec(this.text)
    if (found !== null) {
      this.at += found[0].length - 1
      return String.fromCodePoint(parseInt(found[1] ?? found[2] ?? found[3], 16))
    }
    const next = this.text[++this.at] ?? ""
    return ESCAPES[next] ?? (/["'\\]/.test(next) ? next : `\\${next}`)
  }

  value(depth: number): string {
    if (depth > DEPTH) throw new NoPython()
    const within = () => this.value(depth + 1)
    if (this.take(/\[/)) return `[${this.items(/\]/, within)}]`
    if (this.take(/\(/)) return `[${this.items(/\)/, within)}]`
    if (this.take(/\{/)) {
      const pair = () => {
        const name = this.string()
        this.expect(/:/)
        return `${name}: ${within()}`
      }
      return `{${this.items(/\}/, pair).join(", ")}}`
    }
    const number = this.take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/)
    if (number !== undefined) return number
    const word = this.take(/[A-Za-z]+/)
    if (word === undefined) return this.string()
    if (!Object.hasOwn(WORDS, word)) throw new NoPython()
    return WORDS[word]
  }

  call(): Call {
    const name = this.expect(/[\w.-]+/)
    this.expect(/\(/)
    const pairs = this.items(/\)/, () => {
      const own = JSON.stringify(this.expect(/[\w-]+/))
      this.expect(/=/)
      return `${own}: ${this.value(0)}`
    })
    return { name, arguments: `{${pairs.join(", ")}}` }
  }

  calls(): ReadonlyArray<Call> {
    this.expect(/\[/)
    const calls = this.items(/\]/, () => this.call())
    if (this.at < this.text.length) throw new NoPython()
    return calls
  }
}

/**
 * Calls as a list of Python, `[f(a=1), g(b="x")]`: arguments by name, with literals as their values. Undefined where a text is
 * something else.
 */
export function pythonCalls(text: string): ReadonlyArray<Call> | undefined {
  try {
    return new Reader(text.trim()).calls()
  } catch (error) {
    if (error instanceof NoPython) return
    throw error
  }
}
