import { DataError } from "../data/data_error.ts"
import { concat, cutterOf, type Drawn } from "../data/pieces/pieces.ts"
import { wrongTokenId } from "../data/token_ids.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import type { Rng } from "../tensor/operations/random.ts"
import { type TextRow, textRows } from "./causal_lm.ts"
import { TARGET_MODEL } from "./seq2seq.ts"
import type { TaskOf } from "./task.ts"

/** How much of a text is hidden. */
export interface SpanOptions {
  /** Share of the tokens, above 0 and below 1. Default 0.15. */
  readonly noiseDensity?: number
  /** Mean number of tokens of a hidden span, from 1. Default 3. */
  readonly meanSpanLength?: number
}

/** Writes what is hidden in a text: spans, each replaced by a sentinel (Raffel et al. 2020, section 3.1.4). */
export interface SpanCorruptionTask extends TaskOf<TextRow> {
  /** Its name. */
  readonly kind: "span-corruption"
}

/** Tokens of sources or targets, with a sentinel for each span of the other. */
export interface Corrupted {
  /** What is left, with a sentinel in the place of each hidden span. */
  readonly source: Int32Array
  /** The hidden spans, each behind its sentinel. */
  readonly target: Int32Array
}

/** Number of spans that are hidden of so many tokens, and of their tokens; at least one, and one token stays. */
export function spansOf(
  length: number,
  { noiseDensity = 0.15, meanSpanLength = 3 }: SpanOptions,
): { readonly hidden: number; readonly spans: number } {
  const hidden = Math.min(Math.max(1, roundEven(length * noiseDensity)), length - 1)
  return { hidden, spans: Math.max(1, roundEven(Math.min(hidden, length - hidden) / meanSpanLength)) }
}

/** As numpy rounds: halves to the even number. */
function roundEven(x: number): number {
  const below = Math.floor(x)
  return x - below === 0.5 ? below + below % 2 : Math.round(x)
}

/** Hides spans of random lengths at random places; a text begins with what stays and ends with what is hidden. */
export function corruptSpans(
  tokens: Int32Array,
  sentinels: ReadonlyArray<number>,
  rng: Rng,
  options: SpanOptions = {},
): Corrupted {
  const { hidden, spans } = spansOf(tokens.length, options)
  const kept = segments(tokens.length - hidden, spans, rng), lost = segments(hidden, spans, rng)
  const source: Array<Int32Array> = [], target: Array<Int32Array> = []
  let at = 0
  kept.forEach((length, i) => {
    const sentinel = Int32Array.of(sentinels[i])
    source.push(tokens.subarray(at, at += length), sentinel)
    target.push(sentinel, tokens.subarray(at, at += lost[i]))
  })
  return { source: concat(source), target: concat(target) }
}

/** Lengths of `count` parts, each of one token at least, with all divisions of a length equally likely. */
function segments(length: number, count: number, { shuffle }: Rng): ReadonlyArray<number> {
  const starts = shuffle(Array.from({ length: length - 1 }, (_, i) => i < count - 1))
  const ends = [...starts.flatMap((starts, i) => starts ? [i + 1] : []), length]
  return ends.map((end, i) => end - (ends[i - 1] ?? 0))
}

/** Ids of the tokens `<extra_id_0>`, `<extra_id_1>`, ... as far as there are some. Throws a {@link DataError} without any. */
function sentinelsOf({ id }: Tokenizer, vocabSize: number): ReadonlyArray<number> {
  const ids: Array<number> = []
  for (let next = id("<extra_id_0>"); next !== undefined; next = id(`<extra_id_${ids.length}>`)) ids.push(next)
  const wrong = ids.length === 0 ? undefined : wrongTokenId(ids, vocabSize)
  if (ids.length > 0 && wrong === undefined) return ids
  const message = wrong === undefined
    ? "span-corruption needs a tokenizer with sentinels: it has no token <extra_id_0>"
    : `the tokenizer's sentinels have the ${wrong}; take the tokenizer that belongs to the model`
  throw new DataError({ reason: "Tokenizer", message })
}

/** Source and target of a text that is hidden in part, each with the end token, as in transformers' script. */
function hide(
  tokens: Int32Array,
  rng: Rng,
  { sentinels, eosId, options }: {
    readonly sentinels: ReadonlyArray<number>
    readonly eosId: number | undefined
    readonly options: SpanOptions
  },
): Drawn {
  const own = tokens.at(-1) === eosId ? tokens.subarray(0, -1) : tokens
  // Of one token there is nothing to hide.
  if (own.length < 2) return { tokens, target: new Int32Array(0) }
  const { spans } = spansOf(own.length, options)
  if (spans > sentinels.length) {
    const message = `${spans} spans are to be hidden in a text of ${own.length} tokens, and the tokenizer has ` +
      `${sentinels.length} sentinels: lower maxLength`
    throw new DataError({ reason: "TooLong", message })
  }
  const { source, target } = corruptSpans(own, sentinels, rng, options)
  const ended = (part: Int32Array) => eosId === undefined ? part : concat([part, Int32Array.of(eosId)])
  return { tokens: ended(source), target: ended(target) }
}

/** Writes what is hidden in a text. */
export function spanCorruption(options: SpanOptions = {}): SpanCorruptionTask {
  const { noiseDensity = 0.15, meanSpanLength = 3 } = options
  const problem = noiseDensity > 0 && noiseDensity < 1
    ? meanSpanLength >= 1 ? undefined : `meanSpanLength must be a number from 1, got ${meanSpanLength}`
    : `noiseDensity must be a number above 0 and below 1, got ${noiseDensity}`
  return {
    ...TARGET_MODEL,
    kind: "span-corruption",
    rows: [textRows],
    problem,
    encoder: ({ rows }, tokenizer, { vocabSize = Infinity }) => {
      const [sentinels, { eosId }] = [sentinelsOf(tokenizer, vocabSize), tokenizer]
      const { around } = cutterOf(tokenizer, rows.map(({ text }) => text))
      return ({ text }) => [{
        ...around(text),
        draw: (tokens, rng) => hide(tokens, rng, { sentinels, eosId, options }),
        fields: (_, target) => ({ labels: target }),
      }]
    },
    packing: { rows: textRows, fields: (_, target) => ({ labels: target }) },
  }
}
