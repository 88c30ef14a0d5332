/**
 * A prompt with numbered passages, and the numbers that an answer names.
 * @module
 */
import type { Document } from "./passages.ts"

/** A question with the passages that may answer it, as a text. */
export type PromptOf = (question: string, passages: ReadonlyArray<Document>) => string

/** Asks for an answer that rests on the passages and names them as `[1]`. */
export const numberedPrompt = (question: string, passages: ReadonlyArray<Document>): string =>
  [
    "Answer the question with the passages alone. Name the passages that you used in brackets, such as [1].",
    ...passages.map(({ text }, i) => `[${i + 1}] ${text.replace(/\s+/g, " ")}`),
    `Question: ${question}\nAnswer:`,
  ].join("\n\n")

/** The numbers in brackets of an answer, each once, in the order in which it names them. */
export function namedNumbers(answer: string): ReadonlyArray<number> {
  const groups = answer.matchAll(/\[\s*(\d+(?:\s*[,;]\s*\d+)*)\s*\]/g)
  return [...new Set(Array.from(groups, ([, group]) => group.split(/[,;]/).map(Number)).flat())]
}
