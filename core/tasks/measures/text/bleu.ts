/**
 * BLEU (Papineni et al. 2002) of a corpus, as sacrebleu 2 computes it by default (Post 2018): tokenizer 13a, case counts,
 * exponential smoothing, precisions up to 4 tokens, the reference of the nearest length.
 * @module
 */
import type { TextMetric } from "./text_metric.ts"

const ORDER = 4

/** Splits a text as `mteval-v13a` does for western languages. */
export function tokenize13a(text: string): ReadonlyArray<string> {
  const plain = text.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ")
    .replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">")
  return words(
    ` ${plain} `.replace(/([{-~[-` -&(-+:-@/])/g, " $1 ")
      .replace(/([^0-9])([.,])/gu, "$1 $2 ")
      .replace(/([.,])([^0-9])/gu, " $1 $2")
      .replace(/([0-9])(-)/g, "$1 $2 "),
  )
}

/** White space in Python, which is not quite that of JavaScript. */
const SPACES = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+"
const BETWEEN = new RegExp(SPACES), AT_END = new RegExp(`${SPACES}$`)

/** The parts of a text between white space, as Python has it. */
export function words(text: string): ReadonlyArray<string> {
  return text.split(BETWEEN).filter((word) => word !== "")
}

/** Counts of n-grams by their tokens. */
function counts(tokens: ReadonlyArray<string>, order: number): ReadonlyMap<string, number> {
  const all = new Map<string, number>()
  for (let at = 0; at + order <= tokens.length; at++) {
    const gram = tokens.slice(at, at + order).join(" ")
    all.set(gram, (all.get(gram) ?? 0) + 1)
  }
  return all
}

/** BLEU, 0 to 100. */
export function bleu(): TextMetric {
  return { name: "bleu", score: (texts, references) => ({ bleu: corpusBleu(texts, references) }) }
}

function corpusBleu(texts: ReadonlyArray<string>, references: ReadonlyArray<ReadonlyArray<string>>): number {
  const correct = new Array<number>(ORDER).fill(0), total = new Array<number>(ORDER).fill(0)
  let length = 0, wanted = 0
  texts.forEach((text, i) => {
    const own = tokenize13a(text.replace(AT_END, ""))
    const others = references[i].map((reference) => tokenize13a(reference.replace(AT_END, "")))
    length += own.length
    wanted += others.map((other) => other.length)
      .reduce((best, next) => nearer(next, best, own.length) ? next : best)
    for (let order = 1; order <= ORDER; order++) {
      const limits = others.map((other) => counts(other, order))
      for (const [gram, count] of counts(own, order)) {
        correct[order - 1] += Math.min(count, Math.max(...limits.map((limit) => limit.get(gram) ?? 0)))
        total[order - 1] += count
      }
    }
  })
  return scoreOf(correct, total, length, wanted)
}

/** Whether a length is nearer to `own` than another; of two that are alike the shorter one. */
function nearer(length: number, other: number, own: number): boolean {
  const [distance, best] = [Math.abs(length - own), Math.abs(other - own)]
  return distance < best || (distance === best && length < other)
}

function scoreOf(
  correct: ReadonlyArray<number>,
  total: ReadonlyArray<number>,
  length: number,
  wanted: number,
): number {
  if (correct.every((count) => count === 0)) return 0
  const brevity = length < wanted ? Math.exp(1 - wanted / length) : 1
  let smoothing = 1, sum = 0
  for (let i = 0; i < ORDER; i++) {
    // Without n-grams of this length no text has a score: the logarithm of 0 stands for minus infinity.
    if (total[i] === 0) return 0
    if (correct[i] === 0) smoothing *= 2
    sum += Math.log(correct[i] === 0 ? 100 / (smoothing * total[i]) : 100 * correct[i] / total[i])
  }
  return brevity * Math.exp(sum / ORDER)
}
