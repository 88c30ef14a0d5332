/**
 * Rows as token ids in parts: what stands around a text, the text, and what is known of it. Ids are those of the text
 * encoded in one; parts are found in them.
 * @module
 */
import { borderOf } from "./border.ts"
import type { Rng } from "../../tensor/operations/random.ts"
import type { Tokenizer } from "../tokenizer/tokenizer.ts"

/** A text in parts. */
export interface Pieces {
  /** Special tokens before the text. */
  readonly before: Int32Array
  /** What may be cut at its end. */
  readonly body: Int32Array
  /** Special tokens after the text, kept when it is cut. */
  readonly after: Int32Array
  /** What was seen in the text. */
  readonly found: Found
}

/** What was seen in a text while it was encoded. */
export interface Found {
  /** The text itself begins with the tokens that are put before it. */
  readonly begins?: boolean
  /** The text itself ends in the tokens that are put behind it. */
  readonly ends?: boolean
  /** A text that is to be gone on with has no end token. */
  readonly endless?: boolean
  /** The prompt's last tokens are others when the completion follows. */
  readonly moved?: boolean
  /** Words have the space before them that the tokenizer would leave out. */
  readonly spaced?: boolean
  /** Special tokens elsewhere in the text, as it spells them. */
  readonly within?: ReadonlyArray<string>
}

/** Turns texts of one data set into {@link Pieces}. */
export interface Cutter {
  /** A text with the special tokens around it. */
  readonly around: (text: string) => Pieces
  /** A text to go on with: the tokenizer's special tokens around it, and the end token, which a text that is cut loses. */
  readonly goingOn: (text: string) => Pieces
  /** A prompt with its completion, otherwise as `goingOn`; `prompt` is the number of tokens, of `before` too, that belong to it. */
  readonly pair: (prompt: string, completion: string) => Pieces & { readonly prompt: number }
  /** Whether a token is a special one that a text spells out. */
  readonly spelled: (text: string, id: number) => boolean
}

const none = new Int32Array(0)

/** Values of a row's tokens by the name of their batch field; of a row as a whole, a list of one. */
export type Fields = Readonly<Record<string, ArrayLike<number>>>

/** What is read of a row, and the target that goes with it. */
export interface Drawn {
  /** Token ids that the model reads. */
  readonly tokens: Int32Array
  /** Token ids of the target. */
  readonly target: Int32Array
}

/** A row in parts, with its batch fields once it is known where the text was cut. */
export interface EncodedRow extends Pieces {
  /** A second sequence that the row has, cut as the first. Default: none. */
  readonly target?: Pieces
  /**
   * Makes of the row's tokens, each time that they are drawn, those that the model reads and those of the target. Their
   * numbers must always be the same. Default: the tokens themselves.
   */
  readonly draw?: (tokens: Int32Array, rng: Rng) => Drawn
  /** Fields of the row's tokens and of the target's, special ones included. */
  readonly fields: (tokens: Int32Array, target: Int32Array) => Fields
}

/** Values of a body that was cut to fit into `tokens`, with `fill` for the special tokens around it. */
export const alongBody = (
  { before, after }: Pieces,
  values: Int32Array,
  fill: number,
  tokens: Int32Array,
): Int32Array => {
  const all = new Int32Array(tokens.length).fill(fill)
  all.set(values.subarray(0, tokens.length - before.length - after.length), before.length)
  return all
}

/** Joins token ids. */
export const concat = (parts: ReadonlyArray<Int32Array>): Int32Array => {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
  parts.reduce((at, part) => (joined.set(part, at), at + part.length), 0)
  return joined
}

/** A cutter for texts such as these. */
export const cutterOf = (tokenizer: Tokenizer, texts: ReadonlyArray<string>): Cutter => {
  const { eosId } = tokenizer
  const frame = frameOf(tokenizer, texts)
  const isSpecial = specialOf(tokenizer)
  const bodyOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: !frame.plain })
  const spelled = (text: string, id: number) => isSpecial(id) && text.includes(tokenizer.token(id)!)
  /** Whether tokens end in the end token, blanks aside. */
  const hasEnd = (body: Int32Array): boolean => {
    const at = eosId === undefined ? -1 : body.lastIndexOf(eosId)
    return at >= 0 && tokenizer.decode(body.subarray(at + 1)).trim() === ""
  }
  /** Begin and end tokens that the text spells out are not doubled. */
  const around = (text: string, raw = bodyOf(text), mayEnd = false): Pieces => {
    const { body, begins, ends } = unframed(raw, frame)
    const inner = mayEnd && !ends && hasEnd(body) ? body.subarray(0, body.lastIndexOf(eosId!)) : body
    const within = [...new Set(inner)].filter((id) => spelled(text, id)).map((id) => tokenizer.token(id)!)
    const { before, after } = frame
    return { before, body, after, found: { begins, ends, within } }
  }
  const goingOn = (text: string, raw = bodyOf(text)): Pieces => {
    const piece = around(text, raw, true)
    const { found, after } = piece
    const own = found.ends ? concat([piece.body, after]) : piece.body
    const ends = found.ends || hasEnd(own)
    const closed = ends ? own : concat([own, after])
    // Part of the body: a text that was cut does not end there.
    const body = eosId === undefined || hasEnd(closed) ? closed : concat([closed, Int32Array.of(eosId)])
    const endless = eosId === undefined && !(body.length > 0 && isSpecial(body[body.length - 1]))
    return { ...piece, body, after: none, found: { ...found, ends, endless } }
  }
  const startsSpecial = (text: string) => {
    const first = tokenizer.encode(text, { addSpecialTokens: false }).at(0) ?? -1
    return isSpecial(first) && text.startsWith(tokenizer.token(first)!)
  }
  /** Whether an unknown token stands for characters of the prompt and of the completion: one more is no token more. */
  const isFused = (prompt: string, completion: string, asked: Int32Array): boolean => {
    const last = asked.at(-1)
    if (last === undefined || !isSpecial(last) || prompt.includes(tokenizer.token(last)!)) return false
    const characters = [...completion]
    const first = characters.findIndex((one) => tokenizer.encode(one, { addSpecialTokens: false }).length > 0)
    const begin = characters.slice(0, first + 1).join("")
    return first >= 0 && !startsSpecial(completion) && bodyOf(prompt + begin).length === asked.length
  }
  return {
    around: (text) => around(text),
    goingOn: (text) => goingOn(text),
    spelled,
    pair: (prompt, completion) => {
      const [raw, asked] = [bodyOf(prompt + completion), bodyOf(prompt)]
      const { tokens, moved } = borderOf(raw, asked, tokenizer)
      const fused = !moved && isFused(prompt, completion, asked)
      const { before, found, ...piece } = goingOn(prompt + completion, raw)
      const begin = found.begins ? 0 : before.length
      return {
        ...piece,
        before,
        prompt: begin + (fused ? tokens - 1 : tokens),
        found: { ...found, moved: moved || fused },
      }
    },
  }
}

/** What a tokenizer puts around texts. */
export interface Frame {
  readonly before: Int32Array
  readonly after: Int32Array
  /** Whether the tokenizer does no more than put tokens around a text. */
  readonly plain: boolean
}

/** Finds a tokenizer's frame by a text for which there is only one way to see it. */
export const frameOf = (tokenizer: Tokenizer, texts: ReadonlyArray<string>): Frame => {
  if (!tokenizer.addsSpecialTokens) return { before: none, after: none, plain: true }
  let likely: Frame | undefined
  for (const text of texts) {
    const body = tokenizer.encode(text, { addSpecialTokens: false })
    const whole = tokenizer.encode(text)
    const ways: Array<Frame> = []
    for (let at = 0; at + body.length <= whole.length; at++) {
      if (!startsWith(whole.subarray(at), body)) continue
      ways.push({ before: whole.slice(0, at), after: whole.slice(at + body.length), plain: true })
    }
    if (ways.length === 1) return ways[0]
    likely ??= ways.at(-1)
  }
  return likely ?? { before: none, after: none, plain: false }
}

/** A text's tokens without those of the frame that it holds itself. */
export const unframed = (
  raw: Int32Array,
  { before, after }: Pick<Pieces, "before" | "after">,
): { readonly body: Int32Array; readonly begins: boolean; readonly ends: boolean } => {
  const begins = before.length > 0 && startsWith(raw, before)
  const rest = begins ? raw.subarray(before.length) : raw
  const ends = after.length > 0 && rest.length >= after.length && startsWith(rest.subarray(-after.length), after)
  return { body: ends ? rest.subarray(0, -after.length) : rest, begins, ends }
}

const startsWith = (ids: Int32Array, start: Int32Array): boolean =>
  ids.length >= start.length && start.every((id, at) => ids[at] === id)

/** Tells special tokens: decoding may leave them out. */
const specialOf = (tokenizer: Tokenizer) => {
  const known = new Map<number, boolean>()
  return (id: number): boolean => {
    let special = known.get(id)
    if (special === undefined) {
      special = tokenizer.token(id) !== undefined && tokenizer.decode([id], { skipSpecialTokens: true }) === "" &&
        tokenizer.decode([id]) !== ""
      known.set(id, special)
    }
    return special
  }
}
