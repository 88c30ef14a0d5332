/**
 * Python's regular expressions (`re`, for text) as JavaScript's. What both know is translated to the same meaning, what
 * JavaScript lacks is refused by name; nothing is run as something else.
 * @module
 */

/** A pattern that Python does not take, or that has no equal in JavaScript: what, and where. */
export class PatternError extends Error {
  /** Shown in stack traces. */
  override readonly name: string = "PatternError"
}

/** A part of a pattern: its translation, and between how many characters it takes. */
interface Part {
  readonly source: string
  readonly min: number
  readonly max: number
  /** Whether it looks at a place alone, which JavaScript does not repeat. */
  readonly looks?: boolean
  /** Whether Python finds nothing to repeat there. */
  readonly anchor?: boolean
}

/** Flags in force. */
interface Flags {
  readonly i: boolean
  readonly m: boolean
  readonly s: boolean
  readonly x: boolean
  readonly a: boolean
}

const NO_FLAGS: Flags = { i: false, m: false, s: false, x: false, a: false }
const NOT_LAST = "(?=[^])"
const LAST = "(?![^])"
const FIRST = "(?<![^])"
const SPACES = "\\t-\\r\\x1c-\\x1f\\x85\\p{Z}"
/** Members of a set: Unicode's, as Python has them for text; then those of flag `a`. */
const SETS: Readonly<Record<string, readonly [string, string]>> = {
  d: ["\\p{Nd}", "0-9"],
  s: [SPACES, " \\t-\\r"],
  w: ["\\p{L}\\p{N}_", "a-zA-Z0-9_"],
}
const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11, "\\": 92 }

/** A pattern that can be asked. */
export interface PythonPattern {
  /** Whether it matches a text. */
  readonly matches: (text: string) => boolean
  /** What a named group takes of a text; undefined where it takes nothing, or nothing matches. */
  readonly named: (text: string, group: string) => string | undefined
}

/**
 * A Python pattern. Throws {@link PatternError}.
 *
 * @param how `"whole"`: it must take a whole text, as `re.fullmatch` has it; `"start"`: the start of one, as `re.match`.
 * @param shift How many characters come before a person's own part of it: for the place in errors.
 */
export function pythonPattern(pattern: string, how: "whole" | "start" = "whole", shift = 0): PythonPattern {
  const translation = new Translation(pattern, shift)
  const source = translation.run()
  let own: RegExp
  try {
    own = new RegExp(`^(?:${source})${how === "whole" ? "$" : ""}`, "u")
  } catch (cause) {
    throw new PatternError(`it has no equal in JavaScript: ${(cause as Error).message}`)
  }
  return {
    matches: (text) => own.test(text),
    named: (text, group) => own.exec(text)?.groups?.[`g${translation.names.get(group)}`],
  }
}

class Translation {
  readonly #text: ReadonlyArray<string>
  readonly #shift: number
  #at = 0
  #groups = 0
  #hidden = 0
  /** Groups that are closed by their number, and whether each has a value wherever the text goes on after it. */
  readonly #closed = new Map<number, { readonly part: Part; sure: boolean }>()
  /** Numbers of named groups. */
  readonly names: Map<string, number> = new Map()
  /** Above 0 within a look-behind. */
  #behind = 0
  /** Repeats so far of what may be nothing: where Python stops, JavaScript tries on. */
  #idle = 0

  constructor(pattern: string, shift: number) {
    this.#text = [...pattern]
    this.#shift = shift
  }

  run(): string {
    let flags = NO_FLAGS
    for (const [whole, letters] of this.#text.join("").matchAll(/\(\?([aiLmsux]+)\)/gy)) {
      flags = this.#flags(flags, letters)
      this.#at += whole.length
    }
    const { source } = this.#alternatives(flags)
    if (this.#at < this.#text.length) this.#fail("unbalanced )")
    return flags.i ? `(?i:${source})` : source
  }

  #fail(what: string, at = this.#at): never {
    throw new PatternError(`${what}, at ${Math.max(0, at - this.#shift) + 1}`)
  }

  #lacks(what: string, at?: number): never {
    this.#fail(`${what} has no equal in JavaScript`, at)
  }

  #take(text: string): boolean {
    const found = this.#text.slice(this.#at, this.#at + text.length).join("") === text
    if (found) this.#at += text.length
    return found
  }

  /** As many as there are of a kind of character, up to a number. */
  #takeAll(kind: RegExp, most = Infinity): string {
    const start = this.#at
    while (this.#at < this.#text.length && this.#at - start < most && kind.test(this.#text[this.#at])) this.#at++
    return this.#text.slice(start, this.#at).join("")
  }

  #flags(flags: Flags, letters: string, value = true): Flags {
    if (letters.includes("L")) this.#fail("flag L is for bytes alone")
    // Which letters are each other's capitals differs there.
    if (value && letters.includes("a") && (flags.i || letters.includes("i"))) this.#lacks("flag a beside i")
    const own = Object.fromEntries([...letters].map((letter) => [letter, value]))
    return { ...flags, ...(own.u ? { a: false } : {}), ...own }
  }

  #alternatives(flags: Flags): Part {
    const closed = new Set(this.#closed.keys())
    const parts = [this.#sequence(flags)]
    while (this.#take("|")) {
      this.#doubt(closed)
      parts.push(this.#sequence(flags))
    }
    // A group on one side of several may be left out.
    if (parts.length > 1) this.#doubt(closed)
    return {
      source: parts.map(({ source }) => source).join("|"),
      min: Math.min(...parts.map(({ min }) => min)),
      max: Math.max(...parts.map(({ max }) => max)),
    }
  }

  /** Groups that were closed since then may have no value. */
  #doubt(before: ReadonlySet<number>): void {
    for (const [number, group] of this.#closed) if (!before.has(number)) group.sure = false
  }

  #sequence(flags: Flags): Part {
    let source = ""
    let [min, max] = [0, 0]
    while (this.#at < this.#text.length && !["|", ")"].includes(this.#text[this.#at])) {
      if (flags.x && this.#verbose()) continue
      const closed = new Set(this.#closed.keys())
      const idle = this.#idle
      const one = this.#item(flags)
      if (one === undefined) continue
      const part = this.#repeated(one, flags, closed, idle)
      source += part.source
      min += part.min
      max += part.max
    }
    return { source, min, max }
  }

  /** Passes over spaces and remarks of flag `x`. */
  #verbose(): boolean {
    if (this.#takeAll(/[ \t\n\r\f\v]/) !== "") return true
    if (!this.#take("#")) return false
    this.#takeAll(/[^\n]/)
    return true
  }

  /** What follows an item: how often. */
  #repeated(one: Part, flags: Flags, before: ReadonlySet<number>, idle: number): Part {
    if (flags.x) { while (this.#verbose()); }
    const start = this.#at
    const range = this.#quantifier()
    if (range === undefined) return one
    if (one.anchor) this.#fail("nothing to repeat", start)
    const [least, most] = range
    if (one.min === 0) this.#idle++
    if (least === 0 || most > 1) this.#doubt(before)
    const own = one.looks || one.source === "" ? `(?:${one.source})` : one.source
    const lazy = this.#take("?")
    const possessive = !lazy && this.#take("+")
    const after = this.#at
    if (this.#quantifier() !== undefined) this.#fail("multiple repeat", after)
    const source = `${own}{${least},${most === Infinity ? "" : most}}${lazy ? "?" : ""}`
    const [min, max] = [one.min * least, one.max === 0 || most === 0 ? 0 : one.max * most]
    return { source: possessive ? this.#atomic(source, idle, start) : `(?:${source})`, min, max }
  }

  /** `*`, `+`, `?`, `{2}`, `{2,}`, `{,2}`, `{2,3}`; undefined where there is none. */
  #quantifier(): readonly [number, number] | undefined {
    const start = this.#at
    if (this.#take("*")) return [0, Infinity]
    if (this.#take("+")) return [1, Infinity]
    if (this.#take("?")) return [0, 1]
    if (!this.#take("{") || this.#text[this.#at] === "}") return this.#back(start)
    const low = this.#takeAll(/[0-9]/)
    const comma = this.#take(",")
    const high = comma ? this.#takeAll(/[0-9]/) : low
    // Otherwise the brace is a character.
    if (!this.#take("}") || (!comma && low === "")) return this.#back(start)
    const [least, most] = [low === "" ? 0 : Number(low), high === "" ? Infinity : Number(high)]
    if (most < least) this.#fail("the least number of repeats is above the most", start)
    return [least, most]
  }

  #back(to: number): undefined {
    this.#at = to
  }

  /** Takes what it takes first and does not try others: a lookahead keeps what it found. */
  #atomic(source: string, idle: number, start: number): string {
    if (this.#behind > 0) this.#lacks("what is not tried again, in a look-behind,", start)
    if (this.#idle > idle) this.#lacks("what is not tried again, around a repeat of what may be nothing,", start)
    const name = `a${this.#hidden++}`
    return `(?:(?=(?<${name}>${source}))\\k<${name}>)`
  }

  #item(flags: Flags): Part | undefined {
    const start = this.#at
    if (this.#quantifier() !== undefined) this.#fail("nothing to repeat", start)
    const char = this.#text[this.#at++]
    const place = (source: string): Part => ({ source, min: 0, max: 0, looks: true, anchor: true })
    if (char === "(") return this.#group(flags, start)
    if (char === "[") return this.#set(flags, start)
    if (char === ".") return { source: flags.s ? "[^]" : "[^\\n]", min: 1, max: 1 }
    if (char === "^") return place(flags.m ? "(?<![^\\n])" : FIRST)
    if (char === "$") return place(flags.m ? `(?=\\n|${LAST})` : `(?=\\n?${LAST})`)
    if (char === "\\") return this.#escape(flags, start)
    return letter(char.codePointAt(0)!)
  }

  #escape(flags: Flags, start: number): Part {
    const char = this.#text[this.#at]
    if (char === undefined) this.#fail("a backslash at the end", start)
    const place = (source: string): Part => ({ source, min: 0, max: 0, looks: true, anchor: true })
    const word = `[${SETS.w[flags.a ? 1 : 0]}]`
    const [into, out] = [`(?<!${word})(?=${word})`, `(?<=${word})(?!${word})`]
    this.#at++
    if (char === "A") return place(FIRST)
    if (char === "Z") return place(LAST)
    if (char === "b") return place(`(?:${into}|${out})`)
    if (char === "B") return place(`(?!${into}|${out})(?:${NOT_LAST}|(?<=[^]))`)
    const set = SETS[char.toLowerCase()]
    if (set !== undefined) {
      const members = set[flags.a ? 1 : 0]
      return { source: char === char.toLowerCase() ? `[${members}]` : `[^${members}]`, min: 1, max: 1 }
    }
    if (/[1-9]/.test(char)) {
      const more = this.#text.slice(this.#at, this.#at + 2).join("")
      // Three octal digits are a character.
      if (!/^[0-7]{2}$/.test(more) || !/[0-7]/.test(char)) {
        return this.#reference(Number(char + this.#takeAll(/[0-9]/, 1)), start)
      }
    }
    this.#at--
    return letter(this.#character(start))
  }

  /** The character of an escape that is one. */
  #character(start: number): number {
    const char = this.#text[this.#at++]
    if (CONTROLS[char] !== undefined) return CONTROLS[char]
    const digits = { x: 2, u: 4, U: 8 }[char]
    if (digits !== undefined) {
      const number = this.#takeAll(/[0-9a-fA-F]/, digits)
      const code = parseInt(number, 16)
      if (number.length < digits || code > 0x10ffff) this.#fail(`an incomplete escape \\${char}`, start)
      return code
    }
    if (char === "N") this.#lacks("\\N (a character by its name)", start)
    if (/[0-7]/.test(char)) {
      const octal = char + this.#takeAll(/[0-7]/, 2)
      const code = parseInt(octal, 8)
      if (code > 0o377) this.#fail("an octal escape above \\377", start)
      return code
    }
    if (/[0-9a-zA-Z]/.test(char)) this.#fail(`\\${char} is no escape of Python's`, start)
    return char.codePointAt(0)!
  }

  /** What a group before took. */
  #reference(number: number, start: number): Part {
    const group = this.#closed.get(number)
    if (group === undefined) {
      if (number <= this.#groups) this.#fail("a reference to a group that is still open", start)
      this.#fail(`a reference to group ${number}, which is not there`, start)
    }
    // JavaScript takes nothing for what is not there, Python fails; and it looks behind from the right.
    if (!group.sure) this.#lacks("a reference to a group that may be passed over or repeated", start)
    if (this.#behind > 0) this.#lacks("a reference in a look-behind", start)
    return { source: `\\k<g${number}>`, min: group.part.min, max: group.part.max }
  }

  #group(flags: Flags, start: number): Part | undefined {
    const close = (part: Part): Part => {
      if (!this.#take(")")) this.#fail("missing )", start)
      return part
    }
    if (!this.#take("?")) return this.#capture(flags, undefined, start)
    if (this.#take(":")) {
      const inner = close(this.#alternatives(flags))
      return { ...inner, source: `(?:${inner.source})` }
    }
    if (this.#take("#")) {
      this.#takeAll(/[^)]/)
      close({ source: "", min: 0, max: 0 })
      return undefined
    }
    if (this.#take(">")) {
      const idle = this.#idle
      const inner = close(this.#alternatives(flags))
      return { ...inner, source: this.#atomic(inner.source, idle, start) }
    }
    for (const look of ["=", "!", "<=", "<!"]) if (this.#take(look)) return this.#look(flags, look, start)
    if (this.#take("P<")) return this.#capture(flags, this.#name(">", start), start)
    if (this.#take("P=")) {
      const name = this.#name(")", start)
      const number = this.names.get(name)
      if (number === undefined) this.#fail(`a reference to group "${name}", which is not there`, start)
      return this.#reference(number, start)
    }
    if (this.#take("(")) this.#lacks("a condition (?(...)...)", start)
    if (this.#text[this.#at] === "<") this.#fail("(?<name>...) is written (?P<name>...)", start)
    return this.#flagged(flags, start)
  }

  /** `(?i:...)`, `(?-i:...)`. */
  #flagged(flags: Flags, start: number): Part {
    const on = this.#takeAll(/[aiLmsux]/)
    const off = this.#take("-") ? this.#takeAll(/[imsx]/) : ""
    if (this.#text[this.#at] === ")" && on !== "" && off === "") {
      this.#fail(`flags (?${on}) must come first; (?${on}:...) sets them for a part`, start)
    }
    if (on + off === "" || !this.#take(":")) this.#fail(`unknown extension (?${this.#text[start + 2] ?? ""}`, start)
    const own = this.#flags(this.#flags(flags, on), off, false)
    const inner = this.#alternatives(own)
    if (!this.#take(")")) this.#fail("missing )", start)
    const mark = own.i === flags.i ? "" : own.i ? "i" : "-i"
    return { ...inner, source: `(?${mark}:${inner.source})` }
  }

  #look(flags: Flags, look: string, start: number): Part {
    const behind = look.startsWith("<")
    const closed = new Set(this.#closed.keys())
    if (behind) this.#behind++
    const inner = this.#alternatives(flags)
    if (behind) this.#behind--
    if (!this.#take(")")) this.#fail("missing )", start)
    if (behind && inner.min !== inner.max) this.#fail("a look-behind needs a fixed width", start)
    this.#doubt(closed)
    return { source: `(?${look}${inner.source})`, min: 0, max: 0, looks: true }
  }

  #capture(flags: Flags, name: string | undefined, start: number): Part {
    const number = ++this.#groups
    if (name !== undefined) {
      if (this.names.has(name)) this.#fail(`the group "${name}" is there twice`, start)
      this.names.set(name, number)
    }
    const inner = this.#alternatives(flags)
    if (!this.#take(")")) this.#fail("missing )", start)
    this.#closed.set(number, { part: inner, sure: true })
    return { ...inner, source: `(?<g${number}>${inner.source})` }
  }

  #name(end: string, start: number): string {
    const name = this.#takeAll(/[\p{L}\p{N}_]/u)
    if (!/^[\p{L}_]/u.test(name) || !this.#take(end)) this.#fail("a bad name of a group", start)
    return name
  }

  /** `[...]`. */
  #set(flags: Flags, start: number): Part {
    const not = this.#take("^")
    const members: string[] = []
    const others: string[] = []
    for (let first = true; first || this.#text[this.#at] !== "]"; first = false) {
      const low = this.#member(flags, start)
      const at = this.#at
      if (this.#take("-") && this.#text[this.#at] !== "]") {
        const high = this.#member(flags, start)
        if (typeof low !== "number" || typeof high !== "number" || high < low) this.#fail("a bad range", at)
        members.push(`${escaped(low)}-${escaped(high)}`)
        continue
      }
      this.#at = at
      if (typeof low === "number") members.push(escaped(low))
      else (low.startsWith("^") ? others : members).push(low)
    }
    this.#at++
    const all = [...(members.length > 0 ? [`[${members.join("")}]`] : []), ...others.map((other) => `[${other}]`)]
    if (all.length === 1 && members.length > 0) {
      return { source: `[${not ? "^" : ""}${members.join("")}]`, min: 1, max: 1 }
    }
    return { source: not ? `(?:(?!${all.join("|")})[^])` : `(?:${all.join("|")})`, min: 1, max: 1 }
  }

  /** One character of a set, or the members of `\d` and its like. */
  #member(flags: Flags, start: number): number | string {
    const at = this.#at
    const char = this.#text[this.#at++]
    if (char === undefined) this.#fail("missing ]", start)
    if (char !== "\\") return char.codePointAt(0)!
    const next = this.#text[this.#at]
    if (next === undefined) this.#fail("missing ]", start)
    if (next === "b") {
      this.#at++
      return 8
    }
    const set = SETS[next.toLowerCase()]
    if (set === undefined) return this.#character(at)
    this.#at++
    return `${next === next.toLowerCase() ? "" : "^"}${set[flags.a ? 1 : 0]}`
  }
}

function letter(code: number): Part {
  return { source: escaped(code), min: 1, max: 1 }
}

function escaped(code: number): string {
  const char = String.fromCodePoint(code)
  return /[\p{L}\p{N}_ ]/u.test(char) ? char : `\\u{${code.toString(16)}}`
}
