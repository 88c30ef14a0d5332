import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data } from "../data/data.ts"
import type { DataError } from "../data/data_error.ts"
import { generate, type GenerateError, type GenerateOptions } from "../inference/generate.ts"
import type { Model } from "../model/model.ts"
import type { TextMetric } from "../tasks/measures/text/text_metric.ts"
import { attempt } from "./loop/attempt.ts"
import { checkData } from "./loop/training_data.ts"
import { TrainingError } from "./training_error.ts"

/** Options of {@link evaluateTexts}: how texts are written, and what scores them. */
export interface EvaluateTextsOptions extends Omit<GenerateOptions, "plugins"> {
  /** What scores them: `rouge()`, `bleu()` and others of `@espalier/espalier/text-metrics`, at least one. */
  readonly metrics: ReadonlyArray<TextMetric>
}

/** A text that a model wrote. */
export interface WrittenText {
  /** What it was asked. */
  readonly prompt: string
  /** What it wrote. */
  readonly text: string
  /** The right answers in the data. */
  readonly references: ReadonlyArray<string>
}

/** Result of {@link evaluateTexts}. */
export interface TextEvaluation {
  /** The scores of all metrics by name. */
  readonly metrics: Readonly<Record<string, number>>
  /** One for each prompt, in the order of the data. */
  readonly texts: ReadonlyArray<WrittenText>
}

/**
 * Lets a model write an answer to each prompt, or source, of a data set, and scores the texts. Rows with one prompt are
 * several right answers to it. The metrics of `evaluate` ask how likely the model finds the answers; these, what it writes.
 *
 * ```ts
 * import { Model, Trainer } from "@espalier/espalier"
 * import type { Dataset } from "@espalier/espalier"
 * import { bleu, rouge } from "@espalier/espalier/text-metrics"
 *
 * export const score = (model: Model.Model, rows: Dataset.Data) =>
 *   Trainer.evaluateTexts(model, rows, { metrics: [rouge(), bleu()], maxNewTokens: 60, numBeams: 4 })
 * ```
 */
export function evaluateTexts(
  model: Model,
  data: Data,
  { metrics, ...options }: EvaluateTextsOptions,
): Effect.Effect<TextEvaluation, GenerateError | DataError | TrainingError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const answers = yield* attempt(() => answersOf(model, data))
    if (!Array.isArray(metrics) || metrics.length === 0) {
      return yield* new TrainingError({ reason: "Options", message: "metrics must name at least one, such as rouge()" })
    }
    const prompts = [...answers.keys()]
    const made = yield* generate(model, prompts, options)
    const references = [...answers.values()]
    return {
      metrics: Object.assign({}, ...metrics.map(({ score }) => score(made, references))),
      texts: prompts.map((prompt, i) => ({ prompt, text: made[i], references: references[i] })),
    }
  })
}

/** Right answers by prompt. Throws DataError or {@link TrainingError} where rows have none. */
function answersOf(model: Model, data: Data): ReadonlyMap<string, ReadonlyArray<string>> {
  checkData(data, model.task)
  const { asks } = data.kind
  const wrong = asks === undefined ? `${data.kind.name} rows ask for no text` : "no row to evaluate"
  if (asks === undefined || data.rows.length === 0) {
    throw new TrainingError({ reason: "Options", message: `${data.source}: ${wrong}` })
  }
  const answers = new Map<string, Array<string>>()
  for (const row of data.rows) {
    const [prompt, answer] = asks(row)
    const own = answers.get(prompt) ?? []
    own.push(answer)
    answers.set(prompt, own)
  }
  return answers
}
