import type { Data, DataRow, EncodeOptions, Encoding, RowEncoder } from "./data.ts"
import { DataError, rowsError } from "./data_error.ts"
import { checkHalves } from "./check_halves.ts"
import { makeRng, type Rng } from "../tensor/operations/random.ts"
import { concat, type EncodedRow, type Fields, type Found, type Pieces } from "./pieces/pieces.ts"
import { wrongTokenId } from "./token_ids.ts"
import type { Tokenizer } from "./tokenizer/tokenizer.ts"

export type { Fields } from "./pieces/pieces.ts"
export { MASKED } from "./batches/masked.ts"

/** One sequence of tokens with its labels. */
export interface Example {
  /** Token ids, without padding. */
  readonly tokens: Int32Array
  /** Token ids of the target, of tasks that have one. */
  readonly target?: Int32Array
  /** Values by batch field: one (or `size` numbers) for each token, or for the example. */
  readonly fields: Fields
  /** The example with other tokens, where each time that it is drawn it has some. */
  readonly draw?: (rng: Rng) => Example
  /** Index of the row in its data set. */
  readonly index: number
  /** Line or row of the source, 1-based. */
  readonly row: number
}

/** Token ids of a whole data set. */
export interface Encoded {
  /** In the order of the rows. */
  readonly examples: ReadonlyArray<Example>
  /** Number of texts that were cut to `maxLength`. */
  readonly truncated: number
  /** Tokens of the longest text before it is cut. */
  readonly longest: number
  /** Findings about each text, with its row. */
  readonly found: ReadonlyArray<Found & { readonly row: number }>
}

/**
 * Turns a data set into token ids for a task.
 *
 * Special tokens that are written in a text are encoded as such, as in transformers; begin and end tokens among them are not
 * added again.
 *
 * @throws DataError `Malformed` (half of a character), `TooLong`, `EmptyText` (no token is left), `AllMasked` (nothing to
 * train on) or `Tokenizer` (a token that the model does not have), with all rows.
 */
export const encode = <Row extends DataRow>(
  data: Data<Row>,
  tokenizer: Tokenizer,
  options: EncodeOptions & { readonly task?: Encoding<Row> },
): Encoded => {
  const { maxLength, task = encodingOf(data) } = options
  checkLength(maxLength, "maxLength")
  checkHalves(data)
  const pieces = piecesOf(data, task.encoder(data, tokenizer, options))
  const fail = (
    reason: "TooLong" | "EmptyText" | "AllMasked",
    all: ReadonlyArray<{ readonly row: number }>,
    what: string,
  ) => {
    if (all.length > 0) throw rowsError(reason, data, all.map(({ row }) => row), `: ${what}`)
  }
  const tooLong = pieces.filter(({ size }) => size > maxLength)
  const longest = pieces.reduce((most, { size }) => Math.max(most, size), 0)
  if (options.truncate === false) {
    fail(
      "TooLong",
      tooLong,
      `text of up to ${longest} tokens where ${maxLength} are allowed (raise it, or let texts be cut)`,
    )
  }
  const isEmpty = ({ piece: { body, target } }: typeof pieces[number]) => body.length === 0 || target?.body.length === 0
  fail("EmptyText", pieces.filter(isEmpty), "text without any token")
  const examples = pieces.map(({ piece, index, row }) => {
    const target = piece.target && join(piece.target, maxLength)
    return exampleOf(piece, { tokens: join(piece, maxLength), index, row, ...(target === undefined ? {} : { target }) })
  })
  checkTokens(data, examples, tokenizer, options.vocabSize)
  fail(
    "AllMasked",
    examples.filter((example) => isMasked(example, task)),
    `nothing to train on within ${maxLength} tokens (every label is masked); raise maxLength or shorten the prompts`,
  )
  return {
    examples,
    truncated: tooLong.length,
    longest,
    found: pieces.map(({ piece, row }) => ({ ...piece.found, row })),
  }
}

/**
 * Joins texts and cuts them into blocks. The last block may be shorter; a single last token is dropped.
 *
 * @throws DataError `AllMasked` when there are fewer than two tokens.
 */
export const encodeBlocks = <Row extends DataRow>(
  data: Data<Row>,
  tokenizer: Tokenizer,
  options: { readonly blockLength: number; readonly vocabSize?: number; readonly task?: Encoding<Row> },
): Encoded => {
  const { blockLength, vocabSize, task = encodingOf(data) } = options
  const { packing } = task
  if (packing?.rows !== data.kind) {
    const message = `${data.source}: packing is for plain texts of which the next token is learned`
    throw new DataError({ reason: "BadInput", message })
  }
  checkLength(blockLength, "blockLength")
  checkHalves(data)
  const pieces = piecesOf(data, task.encoder(data, tokenizer, { maxLength: blockLength }))
  const texts = pieces.map(({ piece, size }) => join(piece, size))
  const all = concat(texts)
  const examples: Array<Example> = []
  let text = 0, next = texts.length === 0 ? 0 : texts[0].length
  for (let at = 0; at + 1 < all.length; at += blockLength) {
    while (text + 1 < texts.length && next <= at) next += texts[++text].length
    const tokens = all.slice(at, at + blockLength)
    const { index, row } = pieces[text]
    examples.push(exampleOf({ ...pieces[text].piece, fields: packing.fields }, { tokens, index, row }))
  }
  if (examples.length === 0) {
    throw new DataError({ reason: "AllMasked", message: `${data.source}: fewer than two tokens: nothing to train on` })
  }
  checkTokens(data, examples, tokenizer, vocabSize)
  return {
    examples,
    truncated: 0,
    longest: blockLength,
    found: pieces.map(({ piece, row }) => ({ ...piece.found, row })),
  }
}

const NONE = new Int32Array(0)
/** Stream of random numbers of first draws. */
const DRAW_STREAM = 0x64726177

/** An example of tokens that were cut to their length; of those that are drawn anew each time the first draw. */
function exampleOf({ fields, draw }: Pick<EncodedRow, "fields" | "draw">, own: Omit<Example, "fields">): Example {
  const { tokens, target = NONE, index } = own
  if (draw === undefined) return { ...own, fields: fields(tokens, target) }
  const drawn = (rng: Rng): Example => {
    const made = draw(tokens, rng)
    return { ...own, ...made, fields: fields(made.tokens, made.target), draw: drawn }
  }
  return drawn(makeRng(0, DRAW_STREAM, index))
}

/** The encoding of a data set without a task. */
const encodingOf = <Row extends DataRow>({ source, kind }: Data<Row>): Encoding<Row> => {
  const encoding = kind.encoding?.()
  if (encoding !== undefined) return encoding
  throw new DataError({ reason: "BadInput", message: `${source}: ${kind.name} rows are encoded by a task: give one` })
}

/** Whether all tokens of an example are masked. */
const isMasked = ({ fields }: Example, task: Pick<Encoding, "fields">): boolean => {
  const ofTokens = Object.entries(task.fields).filter(([, { per }]) => per !== "example")
  return ofTokens.length > 0 &&
    ofTokens.every(([name, { fill }]) => Array.prototype.every.call(fields[name], (value) => value === fill))
}

/** An id outside the model has no embedding, but a backend would compute with it without an error. */
const checkTokens = (
  data: Pick<Data, "source" | "unit">,
  examples: ReadonlyArray<Example>,
  tokenizer: Tokenizer,
  vocabSize = Infinity,
): void => {
  const beyond = (id: number) => wrongTokenId([id], vocabSize) !== undefined
  const idsOf = ({ tokens, target = NONE }: Example) => concat([tokens, target])
  const wrong = examples.filter((example) => idsOf(example).some(beyond))
  if (wrong.length === 0) return
  const id = idsOf(wrong[0]).find(beyond)!
  const advice = "take the tokenizer that belongs to the model, or leave such tokens out of the text"
  throw rowsError(
    "Tokenizer",
    data,
    wrong.map(({ row }) => row),
    `: ${JSON.stringify(tokenizer.token(id) ?? "")}`,
    ` has the ${wrongTokenId([id], vocabSize)}; ${advice}`,
  )
}

/** The sequences of all rows, with the numbers of tokens of the longer of their two. */
const piecesOf = <Row extends DataRow>({ rows }: Data<Row>, encodeRow: RowEncoder<Row>) =>
  rows.flatMap((row, index) =>
    encodeRow(row).map((piece) => {
      const size = Math.max(lengthOf(piece), piece.target === undefined ? 0 : lengthOf(piece.target))
      return { piece, size, index, row: row.row }
    })
  )

const lengthOf = ({ before, body, after }: Pieces): number => before.length + body.length + after.length

const join = (piece: Pieces, maxLength: number): Int32Array => {
  const room = Math.max(0, maxLength - piece.before.length - piece.after.length)
  return concat([piece.before, piece.body.subarray(0, room), piece.after])
}

const checkLength = (length: number, name: string): void => {
  if (!Number.isInteger(length) || length < 2) {
    throw new DataError({ reason: "BadInput", message: `${name} must be a whole number from 2, got ${length}` })
  }
}

/** Where each token's label is the next token: whether a token is one that the one before it learns to write. */
export const followsLabel = ({ tokens, fields: { labels } }: Example, index: number): boolean =>
  index > 0 && labels?.length === tokens.length && labels[index - 1] === tokens[index]
