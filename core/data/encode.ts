import { DataError, listPlaces } from "./data_error.ts"
import type { Data, TaggedData, TextData } from "./dataset.ts"
import type { Tokenizer } from "./tokenizer.ts"

/** Label of a token that is not trained on. */
export const MASKED: number = -100

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
  /** What a person should know of the examples. Default: nothing. */
  readonly notes?: ReadonlyArray<string>
}

/**
 * Turns a data set into token ids, one example per row.
 *
 * Classification: the text with the tokenizer's special tokens. Text: the same, then the end-of-text token where the
 * tokenizer has one; all but the first token is trained on. Completion: prompt and completion are tokenized apart, so
 * that the prompt's ids are those that it has when the model is asked; the end-of-text token follows. Tagged: words are
 * tokenized one by one, and the first token of each has its label; a word without any token is an error.
 *
 * @throws DataError `TooLong`, `EmptyText` (no token is left) or `AllMasked` (nothing to train on), with all rows.
 */
export const encode = (data: Data, tokenizer: Tokenizer, options: EncodeOptions): Encoded => {
  checkLength(options.maxLength, "maxLength")
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
    if (piece.targets !== undefined) return { tokens, targets: joinTargets(piece, options.maxLength), row }
    if (data.kind === "classification") return { tokens, label: data.rows[index].label, row }
    const from = data.kind === "completion" && options.completionOnly !== false ? piece.prompt : 0
    return { tokens, labels: labelsFrom(tokens, from), row }
  })
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
  options: { readonly blockLength: number },
): Encoded => {
  const { blockLength } = options
  checkLength(blockLength, "blockLength")
  const texts = data.rows.map((row) => {
    const piece = withEos(textPieces(row.text, tokenizer), tokenizer)
    return join(piece, sizeOf(piece))
  })
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
  const tokenCount = examples.reduce((sum, example) => sum + example.tokens.length, 0)
  return { examples, truncated: 0, tokenCount, trainedCount: tokenCount - examples.length }
}

/** Number of labels that are trained on. */
export const countTrained = (labels: Int32Array): number =>
  labels.reduce((count, label) => count + (label === MASKED ? 0 : 1), 0)

interface Pieces {
  /** Special tokens before the text. */
  readonly before: Int32Array
  /** What may be cut at its end. */
  readonly body: Int32Array
  /** Special tokens after the text, kept when it is cut. */
  readonly after: Int32Array
  /** Tokens, from the first of `before`, that belong to a prompt. */
  readonly prompt: number
  /** {@link Example.targets} of `body`. */
  readonly targets?: Int32Array
}

const none = new Int32Array(0)

const sizeOf = (piece: Pieces): number => piece.before.length + piece.body.length + piece.after.length

const piecesOf = (data: Data, tokenizer: Tokenizer, { masked = false }: EncodeOptions): ReadonlyArray<Pieces> => {
  switch (data.kind) {
    case "classification":
      return data.rows.map((row) => textPieces(row.text, tokenizer))
    case "completion":
      return data.rows.map((row) => pairPieces(row.prompt, row.completion, tokenizer))
    case "text":
      return data.rows.map((row) => {
        const piece = textPieces(row.text, tokenizer)
        return masked ? { ...piece, targets: piece.body } : withEos(piece, tokenizer)
      })
    case "tagged":
      return taggedPieces(data, tokenizer)
  }
}

const textPieces = (text: string, tokenizer: Tokenizer): Pieces => {
  const body = tokenizer.encode(text, { addSpecialTokens: false })
  if (!tokenizer.addsSpecialTokens) return { before: none, body, after: none, prompt: 0 }
  const whole = tokenizer.encode(text)
  const extra = whole.length - body.length
  for (let at = 0; at <= extra; at++) {
    if (body.every((id, index) => whole[at + index] === id)) {
      return { before: whole.slice(0, at), body, after: whole.slice(at + body.length), prompt: 0 }
    }
  }
  // The tokenizer does more than put tokens around the text, so all of it is the text.
  return { before: none, body: whole, after: none, prompt: 0 }
}

const taggedPieces = (data: TaggedData, tokenizer: Tokenizer): ReadonlyArray<Pieces> => {
  const bad: Array<number> = []
  const pieces = data.rows.map(({ words, text, labels, row }): Pieces => {
    const { before, after } = textPieces(text, tokenizer)
    const parts = words.map((word) => tokenizer.encode(word, { addSpecialTokens: false }))
    if (parts.some((part) => part.length === 0)) bad.push(row)
    const targets = parts.map((part, index) => {
      const own = new Int32Array(part.length).fill(MASKED)
      if (part.length > 0) own[0] = labels[index]
      return own
    })
    return { before, body: concat(...parts), after, prompt: 0, targets: concat(...targets) }
  })
  if (bad.length === 0) return pieces
  const message = `${data.source}: a word without any token in ${listPlaces(data.unit, bad)}`
  throw new DataError({ reason: "EmptyText", message, rows: bad })
}

const withEos = (piece: Pieces, tokenizer: Tokenizer): Pieces => {
  if (tokenizer.eosId === undefined || piece.after.includes(tokenizer.eosId)) return piece
  // Part of the body: a text that was cut does not end there.
  return { ...piece, body: concat(piece.body, piece.after, Int32Array.of(tokenizer.eosId)), after: none }
}

const pairPieces = (prompt: string, completion: string, tokenizer: Tokenizer): Pieces => {
  const asked = textPieces(prompt, tokenizer)
  const answer = tokenizer.encode(completion, { addSpecialTokens: false })
  const eos = tokenizer.eosId === undefined ? none : Int32Array.of(tokenizer.eosId)
  return {
    before: asked.before,
    body: concat(asked.body, answer, eos),
    after: none,
    prompt: asked.before.length + asked.body.length,
  }
}

const join = (piece: Pieces, maxLength: number): Int32Array => {
  const room = Math.max(0, maxLength - piece.before.length - piece.after.length)
  return concat(piece.before, piece.body.subarray(0, room), piece.after)
}

/** Targets of what {@link join} gives: special tokens have none. */
const joinTargets = ({ before, body, after, targets = body }: Pieces, maxLength: number): Int32Array => {
  const none = (tokens: Int32Array) => new Int32Array(tokens.length).fill(MASKED)
  return join({ before: none(before), body: targets, after: none(after), prompt: 0 }, maxLength)
}

const concat = (...parts: ReadonlyArray<Int32Array>): Int32Array => {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
  parts.reduce((at, part) => (joined.set(part, at), at + part.length), 0)
  return joined
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
