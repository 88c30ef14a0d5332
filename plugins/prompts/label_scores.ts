import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, DataError } from "../../core/data/data_error.ts"
import type { Model } from "../../core/model/model.ts"
import { fromRows } from "../../core/tasks/dataset/dataset.ts"
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
    const rows = prompts.flatMap((prompt) => answers.map((completion) => ({ prompt, completion })))
    const data = yield* attempt(() => fromRows(rows, { prompt: "prompt", completion: "completion" }))
    const { losses } = yield* evaluate(model, data, { ...options, completionOnly: true })
    return prompts.map((_, i) => losses.slice(i * answers.length, (i + 1) * answers.length).map((loss) => -loss))
  })
}

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
