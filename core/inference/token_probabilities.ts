import { likeliest, logProbability } from "./sampler.ts"

/** A token that might have come. */
export interface Alternative {
  /** Its id. */
  readonly token: number
  /** Natural logarithm of its probability before temperature and all else. */
  readonly logProbability: number
}

/** What a row can ask of the probabilities of its tokens. */
export interface ProbabilityOptions {
  /** Whether tokens come with their probability. Default: where `topLogProbabilities` is given. */
  readonly logProbabilities?: boolean
  /** How many of the likeliest tokens come with each new one, from 1. Default: none. */
  readonly topLogProbabilities?: number
}

/** Probabilities of a new token and of others, where they were asked for. */
export interface TokenProbabilities {
  /** Natural logarithm of the token's probability before constraint, temperature and all else. */
  readonly logProbability?: number
  /** The likeliest tokens, from the likeliest on; of equals first the one with the smaller id. */
  readonly alternatives?: ReadonlyArray<Alternative>
}

/** The probabilities that are asked for, of the token that will be chosen: what chooses it may change the logits. */
export function probabilitiesOf(
  logits: Float32Array,
  { topLogProbabilities: count = 0, logProbabilities = count > 0 }: ProbabilityOptions,
): (token: number) => TokenProbabilities {
  if (!logProbabilities && count === 0) return () => ({})
  const before = logits.slice()
  return (token) => ({
    ...logProbabilities ? { logProbability: logProbability(before, token) } : {},
    ...count > 0 ? { alternatives: alternatives(before, count) } : {},
  })
}

/** The likeliest tokens. */
export function alternatives(logits: Float32Array, count: number): ReadonlyArray<Alternative> {
  const left = logits.slice()
  const best = likeliest(logits)
  const first = logProbability(logits, best)
  return Array.from({ length: Math.min(count, logits.length) }, () => {
    const token = likeliest(left)
    left[token] = -Infinity
    return { token, logProbability: logits[token] - logits[best] + first }
  })
}

/** What is wrong with the options, or nothing. */
export function wrongProbabilities({ topLogProbabilities: count = 1 }: ProbabilityOptions): string | undefined {
  if (Number.isSafeInteger(count) && count >= 1) return
  return `topLogProbabilities must be a whole number from 1, got ${count}`
}
