/**
 * Beam search: the likeliest texts that several rows find together, with the same choices as transformers'.
 * @module
 */
import { logProbabilities } from "../sampler.ts"

/** How beams are kept and compared. */
export interface BeamOptions {
  /** Number of texts that are gone on with at each step, from 1. Default 1: no search. */
  readonly numBeams?: number
  /**
   * Power of the number of new tokens that a text's log-probability is divided by: above 0 prefers longer texts. Default 1.
   */
  readonly lengthPenalty?: number
  /**
   * When a search ends before the last position: true as soon as there are `numBeams` texts; false when no open text, at
   * its present length, is better than these; `"never"` when none can become better. Default false.
   */
  readonly earlyStopping?: boolean | "never"
}

/** What a search needs beside its options. */
export interface Search extends Required<BeamOptions> {
  /** The text to go on with. */
  readonly text: ReadonlyArray<number>
  /** Most tokens to add. */
  readonly maxNewTokens: number
  /** Tokens that end a text. */
  readonly stop: ReadonlyArray<number>
  /** Changes the log-probabilities of a text's next token in place. */
  readonly process: (scores: Float32Array, text: ReadonlyArray<number>) => void
}

/** A text that is gone on with. */
export interface Beam {
  readonly text: ReadonlyArray<number>
  /** Sum of the log-probabilities of its new tokens. */
  readonly score: number
  /** Index, among the beams before, of the one that it goes on with. */
  readonly parent: number
}

/** Gives the logits of the next token of each beam. */
export type NextLogits = (beams: ReadonlyArray<Beam>) => Promise<ReadonlyArray<Float32Array>>

/** A text that a search found. */
export interface Found<A> {
  /** What follows the prompt. */
  readonly text: A
  /** Sum of the log-probabilities of its new tokens, divided by their number to the power of the length penalty. */
  readonly score: number
}

/** The texts that a search finds, at most as many as beams, best first, without what they began with. */
export async function searchBeams(
  search: Search,
  next: NextLogits,
): Promise<ReadonlyArray<Found<ReadonlyArray<number>>>> {
  const { text, numBeams, earlyStopping, lengthPenalty, maxNewTokens, stop } = search
  const kept = Math.max(2, 1 + stop.length) * numBeams
  let running: ReadonlyArray<Beam> = [{ text, score: 0, parent: 0 }]
  let done: ReadonlyArray<Beam> = []
  for (let length = 1;; length++) {
    const candidates = likeliest(running, await next(running), search, kept)
    const ends = (beam: Beam) => length === maxNewTokens || stop.includes(beam.text.at(-1)!)
    // Of what is beyond the beams, which only fills up, nothing counts as an end.
    const ended = candidates.slice(0, numBeams).filter(ends)
      .map((beam) => ({ ...beam, score: beam.score / length ** lengthPenalty }))
    done = [...done, ...ended].sort((a, b) => b.score - a.score).slice(0, numBeams)
    running = candidates.filter((beam) => !ends(beam)).slice(0, numBeams)
    const isFull = done.length === numBeams
    if (running.length === 0 || (isFull && earlyStopping === true)) break
    const future = earlyStopping === "never" && lengthPenalty > 0 ? maxNewTokens : length
    if (isFull && running[0].score / future ** lengthPenalty <= done[numBeams - 1].score) break
  }
  return done.map((beam) => ({ text: beam.text.slice(text.length), score: beam.score }))
}

/** The likeliest texts that go on with the beams by a token, best first. */
function likeliest(
  beams: ReadonlyArray<Beam>,
  logits: ReadonlyArray<Float32Array>,
  { process }: Search,
  count: number,
): ReadonlyArray<Beam> {
  const best: Array<{ readonly parent: number; readonly token: number; readonly score: number }> = []
  beams.forEach(({ text, score }, parent) => {
    const scores = logProbabilities(logits[parent])
    process(scores, text)
    scores.forEach((own, token) => {
      const sum = score + own
      if (best.length === count && !(sum > best[count - 1].score)) return
      const after = best.findIndex((other) => sum > other.score)
      best.splice(after < 0 ? best.length : after, 0, { parent, token, score: sum })
      best.length = Math.min(best.length, count)
    })
  })
  return best.map(({ parent, token, score }) => ({ text: [...beams[parent].text, token], score, parent }))
}
