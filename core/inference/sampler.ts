/**
 * How the next token is chosen from logits: the processors of transformers, in its order. They change the logits in place;
 * a token that is left out gets -Infinity.
 * @module
 */
import type { OptionNames } from "../options/unknown_option.ts"
import { makeRng } from "../tensor/operations/random.ts"

/** How a token is chosen. */
export interface SamplingOptions {
  /** Divides the logits before a token is drawn. 0 takes the likeliest token, of equals the one with the smaller id. Default 0. */
  readonly temperature?: number
  /** Draws from this many of the likeliest tokens, and those equal to the last of them. Default: from all. */
  readonly topK?: number
  /** Draws from the fewest likeliest tokens that together have at least this probability, above 0 up to 1. Default 1. */
  readonly topP?: number
  /** Draws from tokens with at least this share, 0 to 1, of the likeliest one's probability. Default 0. */
  readonly minP?: number
  /**
   * Divides positive logits of tokens that are in the text already, the prompt included, and multiplies negative ones: above
   * 1 for fewer repetitions (Keskar et al. 2019). Default 1.
   */
  readonly repetitionPenalty?: number
  /** No sequence of this many tokens comes up twice in a text, from 1. Default: any may. */
  readonly noRepeatNgramSize?: number
  /** Seed of the draws: a whole number from 0. The same seed gives the same text. Default 0. */
  readonly seed?: number
}

/** Names of {@link SamplingOptions}. */
export const SAMPLING: OptionNames<SamplingOptions> = {
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repetitionPenalty: true,
  noRepeatNgramSize: true,
  seed: true,
}

/** Chooses the next token; changes the logits. */
export type Sampler = (logits: Float32Array, text: ReadonlyArray<number>) => number

/** What is wrong with options, or nothing. */
export function wrongSampling(options: SamplingOptions): string | undefined {
  const { temperature = 0, repetitionPenalty = 1, noRepeatNgramSize = 1, topK = 1, topP = 1, minP = 0, seed = 0 } =
    options
  const draws = (["topK", "topP", "minP"] as const).find((name) => options[name] !== undefined)
  if (!(temperature >= 0 && temperature < Infinity)) return `temperature must be a number from 0, got ${temperature}`
  if (!(repetitionPenalty > 0 && repetitionPenalty < Infinity)) {
    return `repetitionPenalty must be a number above 0, got ${repetitionPenalty}`
  }
  if (!(Number.isSafeInteger(noRepeatNgramSize) && noRepeatNgramSize >= 1)) {
    return `noRepeatNgramSize must be a whole number from 1, got ${noRepeatNgramSize}`
  }
  if (!(Number.isSafeInteger(topK) && topK >= 1)) return `topK must be a whole number from 1, got ${topK}`
  if (!(topP > 0 && topP <= 1)) return `topP must be a number above 0 up to 1, got ${topP}`
  if (!(minP >= 0 && minP <= 1)) return `minP must be a number from 0 to 1, got ${minP}`
  if (!(Number.isSafeInteger(seed) && seed >= 0)) return `seed must be a whole number from 0, got ${seed}`
  if (draws !== undefined && temperature === 0) {
    return `${draws} needs a temperature above 0: without one nothing is drawn`
  }
}

/**
 * A sampler with draws of its own.
 *
 * @param stream Tells the texts of one seed apart.
 */
export function makeSampler(options: SamplingOptions, stream = 0): Sampler {
  const { temperature = 0, topK, topP = 1, minP = 0, seed = 0 } = options
  const { float } = makeRng(seed, stream)
  return (logits, text) => {
    discourageRepetition(logits, text, options)
    if (temperature === 0) return likeliest(logits)
    // Differences to the likeliest: quotients of small temperatures stay finite there.
    const top = logits[likeliest(logits)]
    logits.forEach((logit, id) => logits[id] = (logit - top) / temperature)
    if (topK !== undefined) keepTopK(logits, topK)
    if (topP < 1) keepTopP(logits, topP)
    if (minP > 0) keepMinP(logits, minP)
    return draw(logits, float())
  }
}

/** The token with the greatest logit, of equals the one with the smaller id. */
export function likeliest(logits: Float32Array): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id
  return best
}

/** Changes the logits, or log-probabilities, of a text's next token as the options about repetition say. */
export function discourageRepetition(
  logits: Float32Array,
  text: ReadonlyArray<number>,
  { repetitionPenalty = 1, noRepeatNgramSize }: Pick<SamplingOptions, "repetitionPenalty" | "noRepeatNgramSize">,
): void {
  if (repetitionPenalty !== 1) penalizeRepetition(logits, text, repetitionPenalty)
  if (noRepeatNgramSize !== undefined) banRepeated(logits, text, noRepeatNgramSize)
}

/** See {@link SamplingOptions.noRepeatNgramSize}. */
export function banRepeated(logits: Float32Array, text: ReadonlyArray<number>, size: number): void {
  const last = text.length - size + 1
  if (last < 0) return
  for (let start = 0; start < last; start++) {
    let same = 0
    while (same < size - 1 && text[start + same] === text[last + same]) same++
    if (same === size - 1) logits[text[start + same]] = -Infinity
  }
}

/** See {@link SamplingOptions.repetitionPenalty}. */
export function penalizeRepetition(logits: Float32Array, text: Iterable<number>, penalty: number): void {
  for (const id of new Set(text)) logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty
}

/** See {@link SamplingOptions.topK}. */
export function keepTopK(logits: Float32Array, count: number): void {
  if (count >= logits.length) return
  keepFrom(logits, logits.toSorted()[logits.length - count])
}

/** See {@link SamplingOptions.topP}. */
export function keepTopP(logits: Float32Array, share: number): void {
  const top = logits[likeliest(logits)]
  const wanted = share * weightFrom(logits, top, -Infinity)
  // Only the likeliest tokens are sorted: as many as hold the share.
  let range = 2
  while (weightFrom(logits, top, top - range) < wanted && range < 1024) range *= 2
  const likely = [...logits.keys()].filter((id) => logits[id] >= top - range).sort((a, b) => logits[b] - logits[a])
  let weight = 0
  const kept = likely.filter((id) => {
    const before = weight
    weight += Math.exp(logits[id] - top)
    return before < wanted
  }).map((id) => [id, logits[id]])
  logits.fill(-Infinity)
  for (const [id, logit] of kept) logits[id] = logit
}

/** See {@link SamplingOptions.minP}. */
export function keepMinP(logits: Float32Array, share: number): void {
  keepFrom(logits, logits[likeliest(logits)] + Math.log(share))
}

/** The token at `point`, 0 to 1, of the distribution: inverse transform sampling. */
export function draw(logits: Float32Array, point: number): number {
  const best = likeliest(logits)
  let left = point * weightFrom(logits, logits[best], -Infinity)
  for (let id = 0; id < logits.length; id++) {
    left -= Math.exp(logits[id] - logits[best])
    if (left < 0) return id
  }
  return best
}

/** Natural logarithms of the probabilities of all tokens. */
export function logProbabilities(logits: Float32Array): Float32Array {
  const top = logits[likeliest(logits)]
  const sum = Math.log(weightFrom(logits, top, -Infinity))
  return logits.map((logit) => logit - top - sum)
}

/** Natural logarithm of a token's probability. */
export function logProbability(logits: Float32Array, id: number): number {
  const top = logits[likeliest(logits)]
  return logits[id] - top - Math.log(weightFrom(logits, top, -Infinity))
}

function keepFrom(logits: Float32Array, least: number): void {
  for (let id = 0; id < logits.length; id++) if (logits[id] < least) logits[id] = -Infinity
}

/** Sum of exp(logit - top) of the logits from `least` on. */
function weightFrom(logits: Float32Array, top: number, least: number): number {
  let sum = 0
  for (let id = 0; id < logits.length; id++) if (logits[id] >= least) sum += Math.exp(logits[id] - top)
  return sum
}
