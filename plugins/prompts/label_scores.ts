import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data } from "../../core/data/data.ts"
import { DataError } from "../../core/data/data_error.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../core/inference/tokenizer_option.ts"
import type { Model } from "../../core/model/model.ts"
import { type MarkedRow, markedRows } from "../../core/tasks/causal_lm.ts"
import { evaluate, type EvaluateError, type EvaluateOptions } from "../../core/training/evaluate.ts"

/**
 * How likely a language model finds each of some answers to each prompt: the mean log-probability (nats) of the answer's tokens,
 * as rows by prompt. Answers follow the prompt as they are, with their space. Fails with DataError `Empty` without prompts or
 * answers.
 */
export function labelScores(
  model: Model,
  prompts: ReadonlyArray<string>,
  answers: ReadonlyArray<string>,
  options: Omit<EvaluateOptions, "plugins" | "completionOnly"> = {},
): Effect.Effect<ReadonlyArray<ReadonlyArray<number>>, EvaluateError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    if (prompts.length === 0 || answers.length === 0) {
      const message = `scores need prompts and answers, got ${prompts.length} and ${answers.length}`
      return yield* new DataError({ reason: "Empty", message })
    }
    const tokenizer = yield* tokenizerOf(model, options.tokenizer)
    const begin = beginOf(tokenizer)
    const rows: ReadonlyArray<MarkedRow> = prompts.flatMap((prompt, i) =>
      answers.map((answer, k) => {
        const before = begin + prompt
        const text = before + answer
        return { text, trained: [[before.length, text.length]], row: i * answers.length + k + 1 }
      })
    )
    // Rows of prompts and completions would have the end of the text among what is scored.
    const data: Data<MarkedRow> = { kind: markedRows, source: "prompts", unit: "row", labels: [], rows }
    const { losses } = yield* evaluate(model, data, { ...options, tokenizer })
    return prompts.map((_, i) => losses.slice(i * answers.length, (i + 1) * answers.length).map((loss) => -loss))
  })
}

/** The token that a tokenizer puts before a text, as a text. */
const beginOf = ({ bosId, encode, token }: Tokenizer): string =>
  bosId !== undefined && encode("a")[0] === bosId ? token(bosId) ?? "" : ""

/**
 * Scores less those of prompts without content, such as the input "N/A": what the prompt itself says for an answer counts no longer
 * (contextual calibration: Zhao et al. 2021, "Calibrate Before Use").
 */
export function calibrated(
  scores: ReadonlyArray<ReadonlyArray<number>>,
  neutral: ReadonlyArray<ReadonlyArray<number>>,
): ReadonlyArray<ReadonlyArray<number>> {
  const bias = neutral[0].map((_, answer) => neutral.reduce((sum, row) => sum + row[answer], 0) / neutral.length)
  return scores.map((row) => row.map((score, answer) => score - bias[answer]))
}

/** The index of the best answer to each prompt; of equal ones the first. */
export const bestOf = (scores: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> =>
  scores.map((row) => row.reduce((best, score, answer) => score > row[best] ? answer : best, 0))
