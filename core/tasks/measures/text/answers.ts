/**
 * Scores of short answers, as in SQuAD (Rajpurkar et al. 2016): what counts are words, without case, punctuation and
 * articles.
 * @module
 */
import { words } from "./bleu.ts"
import { meanOfBest, type TextMetric } from "./text_metric.ts"

const PUNCTUATION = /[!-/:-@[-`{-~]/g

/** The words that count. */
export function normalized(text: string): ReadonlyArray<string> {
  return words(
    text.toLowerCase().replace(PUNCTUATION, "").replace(/(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu, " "),
  )
}

/** Share of the texts that equal an answer, 0 to 1. */
export function exactMatch(): TextMetric {
  const same = (text: string, reference: string) =>
    normalized(text).join(" ") === normalized(reference).join(" ") ? 1 : 0
  return { name: "exactMatch", score: (texts, references) => ({ exactMatch: meanOfBest(texts, references, same) }) }
}

/** Mean F1 of the words that a text and an answer have in common, 0 to 1. */
export function tokenF1(): TextMetric {
  return { name: "tokenF1", score: (texts, references) => ({ tokenF1: meanOfBest(texts, references, f1) }) }
}

function f1(text: string, reference: string): number {
  const [own, wanted] = [normalized(text), normalized(reference)]
  // An empty answer is right where it is expected.
  if (own.length === 0 || wanted.length === 0) return own.length === wanted.length ? 1 : 0
  const left = new Map<string, number>()
  for (const word of wanted) left.set(word, (left.get(word) ?? 0) + 1)
  let common = 0
  for (const word of own) {
    const count = left.get(word) ?? 0
    if (count > 0) common++
    left.set(word, count - 1)
  }
  return 2 * common / (own.length + wanted.length)
}
