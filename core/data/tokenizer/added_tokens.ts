import type { Normalizer } from "./normalizers.ts"
import { spaceAfter, spaceBefore, WORD } from "./text/unicode.ts"

/** A token that is found in a text before the text is cut. */
export interface AddedToken {
  readonly content: string
  /** Found as a whole word alone. */
  readonly single_word: boolean
  /** Takes the white space before it. */
  readonly lstrip: boolean
  /** Takes the white space after it. */
  readonly rstrip: boolean
  /** Looked for in the normalized text. */
  readonly normalized: boolean
  /** Left out of a decoded text on request. */
  readonly special: boolean
}

/** A part of a text: one token, or text between tokens. */
export type Section = { readonly id: number } | { readonly text: string; readonly begins: number }

/** Ids of added tokens, and where they stand in a text. */
export class AddedTokens {
  /** Ids by token. */
  readonly ids: Map<string, number> = new Map()
  /** Tokens by id. */
  readonly tokens: Map<number, AddedToken> = new Map()
  /** Contents of special tokens. */
  readonly special: Set<string> = new Set()
  readonly #vocab: ReadonlyMap<string, number>
  readonly #size: number
  #asIs = new Finder([])
  #normalized = new Finder([])
  #splitSpecial = false

  /** Starts without tokens; those that are not in the vocabulary get ids from its size on. */
  constructor(vocab: ReadonlyMap<string, number>, size: number) {
    this.#vocab = vocab
    this.#size = size
  }

  /** Adds a token; one that was added before keeps its id. Gives the id. */
  add(token: AddedToken): number | undefined {
    if (token.content === "") return undefined
    if (token.special) this.special.add(token.content)
    const id = this.ids.get(token.content) ?? this.#vocab.get(token.content) ?? this.#nextId()
    this.ids.set(token.content, id)
    this.tokens.set(id, token)
    return id
  }

  #nextId(): number {
    let next = this.#size
    for (const id of this.ids.values()) if (id >= next) next = id + 1
    return next
  }

  /** Makes ready to find what was added. Gives the tokens that normalize to nothing or to another token. */
  prepare(normalizer: Normalizer | undefined, splitSpecial: boolean): ReadonlyArray<string> {
    this.#splitSpecial = splitSpecial
    const all = [...this.tokens].map(([id, token]): Found => ({ id, token, content: token.content }))
    // Where two are the same once normalized, special ones come first.
    const ordered = [...all.filter(({ token }) => token.special), ...all.filter(({ token }) => !token.special)]
    this.#asIs = new Finder(ordered.filter(({ token }) => !token.normalized))
    const normalized = ordered.filter(({ token }) => token.normalized)
      .map((found) => ({ ...found, content: normalizer?.(found.content) ?? found.content }))
    this.#normalized = new Finder(normalized)
    const seen = new Set([""])
    return normalized.filter(({ content }) => seen.size === seen.add(content).size).map(({ token }) => token.content)
  }

  /** Cuts a text into tokens and normalized text. */
  sections(text: string, normalizer: Normalizer | undefined): ReadonlyArray<Section> {
    const sections: Array<Section> = []
    for (const outer of this.#cut(this.#asIs, text, firstLength(text))) {
      if ("id" in outer) sections.push(outer)
      else if (normalizer === undefined) this.#cut(this.#normalized, outer.text, outer.begins, sections)
      else {
        const normalized = normalizer(outer.text)
        // What comes of the first character stands where the text begins; nothing does where it was taken away.
        const begins = outer.begins && normalizer(`${outer.text.slice(0, firstLength(outer.text))}a`).length - 1
        this.#cut(this.#normalized, normalized, begins, sections)
      }
    }
    return sections
  }

  /** Adds the sections of a text to those before. */
  #cut(finder: Finder, text: string, begins: number, sections: Array<Section> = []): ReadonlyArray<Section> {
    if (text === "") return sections
    if (finder.empty) {
      sections.push({ text, begins })
      return sections
    }
    let done = 0
    const between = (from: number, to: number): void => {
      if (from < to) sections.push({ text: text.slice(from, to), begins: Math.max(0, begins - from) })
    }
    for (let found = finder.next(text, 0); found !== undefined; found = finder.next(text, found.end)) {
      const { id, token } = found
      if (this.#splitSpecial && this.special.has(token.content)) continue
      let [start, end] = [found.start, found.end]
      if (token.single_word && (endsWithWord(text, start) || STARTS_WITH_WORD.test(text.slice(end, end + 2)))) continue
      if (token.lstrip) start = spaceBefore(text, start, done)
      if (token.rstrip) end = spaceAfter(text, end)
      between(done, start)
      // White space that the token before took leaves nothing.
      if (start < end) sections.push({ id })
      done = end
    }
    between(done, text.length)
    return sections
  }
}

/** Code units of a text's first character. */
const firstLength = (text: string): number => (text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1

const STARTS_WITH_WORD = new RegExp(`^[${WORD}\\u200c\\u200d]`, "u")
const ENDS_WITH_WORD = new RegExp(`[${WORD}\\u200c\\u200d]$`, "u")
const endsWithWord = (text: string, end: number): boolean => ENDS_WITH_WORD.test(text.slice(Math.max(0, end - 2), end))

interface Found {
  readonly id: number
  readonly token: AddedToken
  /** What is looked for. */
  readonly content: string
}

/** Finds the longest of some contents at the first place where one stands. */
class Finder {
  readonly empty: boolean
  readonly #contents = new Map<string, Found>()
  /** Lengths of contents by their first code unit, the longest first. */
  readonly #lengths = new Map<number, ReadonlyArray<number>>()
  readonly #first: RegExp

  constructor(all: ReadonlyArray<Found>) {
    const lengths = new Map<number, Set<number>>()
    for (const found of all) {
      const { content } = found
      if (content === "" || this.#contents.has(content)) continue
      this.#contents.set(content, found)
      const unit = content.charCodeAt(0)
      lengths.set(unit, (lengths.get(unit) ?? new Set()).add(content.length))
    }
    for (const [unit, set] of lengths) this.#lengths.set(unit, [...set].sort((a, b) => b - a))
    const units = [...lengths.keys()].map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    this.empty = units.length === 0
    this.#first = new RegExp(`[${units.join("")}]`, "g")
  }

  next(text: string, from: number): (Found & { readonly start: number; readonly end: number }) | undefined {
    this.#first.lastIndex = from
    for (let match = this.#first.exec(text); match !== null; match = this.#first.exec(text)) {
      const start = match.index
      for (const length of this.#lengths.get(text.charCodeAt(start))!) {
        const found = this.#contents.get(text.slice(start, start + length))
        if (found !== undefined) return { ...found, start, end: start + found.content.length }
      }
    }
    return undefined
  }
}
