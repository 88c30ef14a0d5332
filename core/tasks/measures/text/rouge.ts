/**
 * ROUGE (Lin 2004) as the package rouge-score computes it with its stemmer: words of a-z and 0-9 in lower case, so that
 * other scripts count nothing.
 * @module
 */
import { porterStem } from "./porter_stem.ts"
import { meanOfBest, type TextMetric } from "./text_metric.ts"

type Tokens = ReadonlyArray<string>

/** The words that count; of those with more than three letters the stems. */
export function rougeTokens(text: string): Tokens {
  const found = text.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return found.map((word) => word.length > 3 ? porterStem(word) : word)
}

/** Mean F1 of each kind, 0 to 1: words, pairs of words, longest common subsequence, and that of lines (`rougeLsum`). */
export function rouge(): TextMetric {
  const kinds = { rouge1: ofNgrams(1), rouge2: ofNgrams(2), rougeL: ofSequence, rougeLsum: ofLines }
  return {
    name: "rouge",
    score: (texts, references) =>
      Object.fromEntries(
        Object.entries(kinds).map(([name, value]) => [name, meanOfBest(texts, references, value)]),
      ),
  }
}

/** F1 of what two sides have in common. */
function f1(hits: number, own: number, wanted: number): number {
  return hits === 0 ? 0 : 2 * hits / (own + wanted)
}

function countOf(items: Tokens): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

function ofNgrams(order: number): (text: string, reference: string) => number {
  const gramsOf = (text: string) => {
    const tokens = rougeTokens(text)
    return tokens.slice(order - 1).map((_, at) => tokens.slice(at, at + order).join(" "))
  }
  return (text, reference) => {
    const [own, wanted] = [gramsOf(text), gramsOf(reference)]
    const limits = countOf(wanted)
    const hits = [...countOf(own)].reduce((sum, [gram, count]) => sum + Math.min(count, limits.get(gram) ?? 0), 0)
    return f1(hits, own.length, wanted.length)
  }
}

function ofSequence(text: string, reference: string): number {
  const [own, wanted] = [rougeTokens(text), rougeTokens(reference)]
  return f1(lcsTable(wanted, own)[wanted.length][own.length], own.length, wanted.length)
}

/** Length of the longest common subsequence of each two beginnings. */
function lcsTable(a: Tokens, b: Tokens): ReadonlyArray<Int32Array> {
  const table = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1))
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i][j] = a[i - 1] === b[j - 1] ? table[i - 1][j - 1] + 1 : Math.max(table[i - 1][j], table[i][j - 1])
    }
  }
  return table
}

/** Places in a that a longest common subsequence with b has. */
function commonPlaces(a: Tokens, b: Tokens): ReadonlyArray<number> {
  const table = lcsTable(a, b)
  const places: Array<number> = []
  for (let i = a.length, j = b.length; i > 0 && j > 0;) {
    if (a[i - 1] === b[j - 1]) {
      places.push(--i)
      j--
    } else if (table[i][j - 1] > table[i - 1][j]) j--
    else i--
  }
  return places
}

/** Of each line of the reference what any line of the text has in common with it; a word counts once for each time it is there. */
function ofLines(text: string, reference: string): number {
  const [own, wanted] = [text, reference].map((whole) => whole.split("\n").map(rougeTokens))
  const left = [own, wanted].map((lines) => countOf(lines.flat()))
  let hits = 0
  for (const line of wanted) {
    const places = new Set(own.flatMap((other) => commonPlaces(line, other)))
    for (const place of [...places].sort((a, b) => a - b)) {
      const word = line[place]
      if (left.some((counts) => (counts.get(word) ?? 0) === 0)) continue
      hits++
      for (const counts of left) counts.set(word, counts.get(word)! - 1)
    }
  }
  return f1(hits, own.flat().length, wanted.flat().length)
}
