import { wrongTokenId } from "../model/token_ids.ts"
import { DataError, listPlaces } from "./data_error.ts"
import type { Data, TextData } from "./dataset.ts"
import { checkHalves } from "./half_characters.ts"
import { concat, cutterOf, type Found, type Pieces } from "./_pieces.ts"
import { taggedPieces } from "./_tagged_pieces.ts"
import { MASKED } from "./masked.ts"
import type { Tokenizer } from "./tokenizer.ts"

export { MASKED }

/** One row as token ids. */
export interface Example {
  /** Token ids, without padding. */
  readonly tokens: Int32Array
  /**
   * Language modelling: for each token itself where the model is to learn it from those before, else {@link MASKED}.
   * The first is always masked. Same length as `tokens`, not shifted.
   */
  readonly labels?: Int32Array
  /**
   * Token classification: the label id of each token, {@link MASKED} for those without. Masked language modelling: each
   * token itself where it may be hidden, else {@link MASKED}. Same length as `tokens`.
   */
  readonly targets?: Int32Array
  /** Token classification: the place of each token's word in its row, -1 for a special token. */
  readonly words?: Int32Array
  /** Classification: label id. */
  readonly label?: number
  /** Line or row of the source, 1-based. */
  readonly row: number
}

/** How rows become token ids. */
export interface EncodeOptions {
  /** Largest number of tokens of an example, special ones included; at most the model's positions. */
  readonly maxLength: number
  /** Cut longer texts at the end (special tokens stay). False makes a longer text an error. Default true. */
  readonly truncate?: boolean
  /** Prompts with completions: train on the completion alone. Default true. */
  readonly completionOnly?: boolean
  /** Plain texts: learn hidden tokens (special ones never are) instead of next ones. Default false. */
  readonly masked?: boolean
  /** Number of the model's token ids; a text with another is an error. Default: any id. */
  readonly vocabSize?: number
}

/** Token ids of a whole data set. */
export interface Encoded {
  /** One example per row, in the order of the rows. */
  readonly examples: ReadonlyArray<Example>
  /** Rows that were cut to the largest length. */
  readonly truncated: number
  /** Tokens in all examples together. */
  readonly tokenCount: number
  /** Tokens that are trained on (language modelling, token classification), or examples (classification). */
  readonly trainedCount: number
  /** What was seen in each row's text. */
  readonly found: ReadonlyArray<Found>
}

/**
 * Turns a data set into token ids, one example per row.
 *
 * Classification: the text with the tokenizer's special tokens. Text: the same, then the end-of-text token where the
 * tokenizer has one; all but the first token is trained on. Completion: prompt and completion are tokenized in one, and
 * the end-of-text token follows; a token that spans the border belongs to the completion. Tagged: words are tokenized one
 * by one, and the first token of each has its label; a word without any token is an error.
 *
 * Begin and end tokens that a text spells out itself are not added again: as transformers does, a text is encoded with the
 * special tokens that are written in it.
 *
 * @throws DataError `Malformed` (half of a character), `TooLong`, `EmptyText` (no token is left), `AllMasked` (nothing to
 * train on) or `Tokenizer` (a token that the model does not have), with all rows.
 */
export const encode = (data: Data, tokenizer: Tokenizer, options: EncodeOptions): Encoded => {
  checkLength(options.maxLength, "maxLength")
  checkHalves(data)
  const pieces = piecesOf(data, tokenizer, options)
  const rowOf = (index: number) => data.rows[index].row
  const fail = (reason: "TooLong" | "EmptyText" | "AllMasked", indices: ReadonlyArray<number>, what: string) => {
    if (indices.length === 0) return
    const rows = indices.map(rowOf)
    throw new DataError({ reason, message: `${data.source}: ${what} in ${listPlaces(data.unit, rows)}`, rows })
  }
  const indicesOf = (test: (piece: Pieces) => boolean) => pieces.flatMap((piece, index) => (test(piece) ? [index] : []))
  const tooLong = indicesOf((piece) => sizeOf(piece) > options.maxLength)
  if (options.truncate === false) {
    const longest = tooLong.reduce((most, index) => Math.max(most, sizeOf(pieces[index])), 0)
    fail(
      "TooLong",
      tooLong,
      `text of up to ${longest} tokens where ${options.maxLength} are allowed (raise it, or let texts be cut)`,
    )
  }
  fail("EmptyText", indicesOf((piece) => piece.body.length === 0), "text without any token")
  const examples = pieces.map((piece, index): Example => {
    const tokens = join(piece, options.maxLength)
    const row = rowOf(index)
    const { targets, words } = piece
    const joined = (body: Int32Array, fill: number) => joinBeside(piece, body, fill, options.maxLength)
    if (targets !== undefined) {
      return { tokens, targets: joined(targets, MASKED), ...(words && { words: joined(words, -1) }), row }
    }
    if (data.kind === "classification") return { tokens, label: data.rows[index].label, row }
    const from = data.kind === "completion" && options.completionOnly !== false ? piece.prompt : 0
    return { tokens, labels: labelsFrom(tokens, from), row }
  })
  checkTokens(data, examples, tokenizer, options.vocabSize)
  const trained = ({ labels, targets }: Example) => {
    const perToken = labels ?? targets
    return perToken === undefined ? 1 : countTrained(perToken)
  }
  const masked = examples.flatMap((example, index) => (trained(example) === 0 ? [index] : []))
  fail(
    "AllMasked",
    masked,
    `nothing to train on within ${options.maxLength} tokens (every label is masked); raise maxLength or shorten the prompts`,
  )
  return {
    examples,
    truncated: tooLong.length,
    tokenCount: examples.reduce((sum, example) => sum + example.tokens.length, 0),
    trainedCount: examples.reduce((sum, example) => sum + trained(example), 0),
    found: pieces.map(({ found }) => found),
  }
}

/**
 * Packs texts for language modelling: all texts, each with its end-of-text token, one after the other, cut into blocks.
 * The last block may be shorter; a last single token is left out. All but a block's first token is trained on.
 *
 * @throws DataError `AllMasked` when there are fewer than two tokens.
 */
export const encodeBlocks = (
  data: TextData,
  tokenizer: Tokenizer,
  options: { readonly blockLength: number; readonly vocabSize?: number },
): Encoded => {
  const { blockLength, vocabSize } = options
  checkLength(blockLength, "blockLength")
  checkHalves(data)
  const { goingOn } = cutterOf(tokenizer, data.rows.map(({ text }) => text))
  const pieces = data.rows.map(({ text }) => goingOn(text))
  const texts = pieces.map((piece) => join(piece, sizeOf(piece)))
  const total = texts.reduce((sum, tokens) => sum + tokens.length, 0)
  const all = new Int32Array(total)
  const starts: Array<number> = []
  texts.reduce((at, tokens) => {
    all.set(tokens, at)
    starts.push(at)
    return at + tokens.length
  }, 0)
  const examples: Array<Example> = []
  let text = 0
  for (let at = 0; at + 1 < total; at += blockLength) {
    while (text + 1 < starts.length && starts[text + 1] <= at) text++
    const tokens = all.slice(at, at + blockLength)
    examples.push({ tokens, labels: labelsFrom(tokens, 0), row: data.rows[text].row })
  }
  if (examples.length === 0) {
    throw new DataError({ reason: "AllMasked", message: `${data.source}: fewer than two tokens: nothing to train on` })
  }
  checkTokens(data, examples, tokenizer, vocabSize)
  const tokenCount = examples.reduce((sum, example) => sum + example.tokens.length, 0)
  const found = pieces.map(({ found }) => found)
  return { examples, truncated: 0, tokenCount, trainedCount: tokenCount - examples.length, found }
}

/** A model has no embedding for other ids than its own, and a backend would give numbers all the same. */
const checkTokens = (
  { source, unit }: Data,
  examples: ReadonlyArray<Example>,
  tokenizer: Tokenizer,
  vocabSize = Infinity,
): void => {
  const beyond = (id: number) => wrongTokenId([id], vocabSize) !== undefined
  const wrong = examples.filter(({ tokens }) => tokens.some(beyond))
  if (wrong.length === 0) return
  const id = wrong[0].tokens.find(beyond)!
  const rows = [...new Set(wrong.map(({ row }) => row))]
  const message = `${source}: ${JSON.stringify(tokenizer.token(id) ?? "")} in ${listPlaces(unit, rows)} has the ` +
    `${
      wrongTokenId([id], vocabSize)
    }; take the tokenizer that belongs to the model, or leave such tokens out of the text`
  throw new DataError({ reason: "Tokenizer", message, rows })
}

/** Number of labels that are trained on. */
export const countTrained = (labels: Int32Array): number =>
  labels.reduce((count, label) => count + (label === MASKED ? 0 : 1), 0)

const sizeOf = (piece: Pieces): number => piece.before.length + piece.body.length + piece.after.length

const piecesOf = (data: Data, tokenizer: Tokenizer, { masked = false }: EncodeOptions): ReadonlyArray<Pieces> => {
  if (data.kind === "tagged") return taggedPieces(data, tokenizer)
  if (data.kind === "completion") {
    const { pair } = cutterOf(tokenizer, data.rows.map(({ prompt, completion }) => prompt + completion))
    return data.rows.map(pair)
  }
  const cutter = cutterOf(tokenizer, data.rows.map(({ text }) => text))
  const cut = data.kind === "classification" ? cutter.around : masked ? cutter.hidden : cutter.goingOn
  return data.rows.map(({ text }) => cut(text))
}

const join = (piece: Pieces, maxLength: number): Int32Array => {
  const room = Math.max(0, maxLength - piece.before.length - piece.after.length)
  return concat(piece.before, piece.body.subarray(0, room), piece.after)
}

/** What goes with the tokens that {@link join} gives: `body` with the text's, `fill` with special ones. */
const joinBeside = ({ before, after }: Pieces, body: Int32Array, fill: number, maxLength: number): Int32Array => {
  const filled = (tokens: Int32Array) => new Int32Array(tokens.length).fill(fill)
  return join({ before: filled(before), body, after: filled(after), prompt: 0, found: {} }, maxLength)
}

const labelsFrom = (tokens: Int32Array, from: number): Int32Array => {
  const labels = Int32Array.from(tokens)
  labels.fill(MASKED, 0, Math.max(1, from))
  return labels
}

const checkLength = (length: number, name: string): void => {
  if (!Number.isInteger(length) || length < 2) {
    throw new DataError({ reason: "BadInput", message: `${name} must be a whole number from 2, got ${length}` })
  }
}
