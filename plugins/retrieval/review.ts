import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data } from "../../core/data/data.ts"
import type { Model } from "../../core/model/model.ts"
import type { Review } from "../../core/run/mod.ts"
import type { EvaluateError } from "../../core/training/evaluate.ts"
import { evaluateTexts } from "../../core/training/evaluate_texts.ts"
import { TrainingError } from "../../core/training/training_error.ts"
import { agreement, driftSection } from "./facts/agreement.ts"
import type { FactCheck, Judgement } from "./facts/fact_check.ts"

/** Options of {@link factReview}. */
export interface FactReviewOptions<Evidence> {
  /** What compares an answer with its evidence. */
  readonly check: FactCheck<Evidence>
  /** The evidence of a prompt with its right answer; undefined for rows that are left out. */
  readonly evidence: (prompt: string, answer: string) => Evidence | undefined
  /** Most prompts that are answered. Default 64. */
  readonly prompts?: number
  /** Most tokens of an answer. Default 64. */
  readonly maxNewTokens?: number
}

/**
 * A review for `trainRun`: the model answers prompts of the rows that judge it, before and after training, and the report has a
 * section about how its answers agree with their evidence. Tasks whose rows ask for no text are left out.
 */
export const factReview = <Evidence>(options: FactReviewOptions<Evidence>): Review => ({ parts, model }) => {
  const asking = parts.filter(({ judging }) => judging.kind.asks !== undefined && judging.rows.length > 0)
  const all = Effect.forEach(asking, ({ name, judging }) =>
    Effect.map(
      judged(name === undefined ? model : model.view({ task: name }), judging, options),
      (judgements) => ({ name, judgements }),
    ))
  return Effect.map(all, (before) => () =>
    Effect.map(all, (after) => ({
      sections: after.flatMap(({ name, judgements }, i) =>
        judgements.length === 0 ? [] : [
          driftSection(
            `Agreement with evidence${name === undefined ? "" : `: ${name}`}`,
            before[i].judgements,
            judgements,
          ),
        ]
      ),
      summary: {
        agreement: after.map(({ name, judgements }, i) => ({
          ...name === undefined ? {} : { task: name },
          before: agreement(before[i].judgements),
          after: agreement(judgements),
        })),
      },
    })))
}

/** Judgements of the model's answers to the first prompts that have evidence. */
function judged<Evidence>(
  model: Model,
  data: Data,
  { check, evidence, prompts = 64, maxNewTokens = 64 }: FactReviewOptions<Evidence>,
): Effect.Effect<ReadonlyArray<Judgement>, EvaluateError, FileSystem.FileSystem> {
  const asks = data.kind.asks!
  const asked = new Map(
    data.rows.flatMap((row) => {
      const [prompt, answer] = asks(row)
      const own = evidence(prompt, answer)
      return own === undefined ? [] : [[prompt, { row, own }] as const]
    }).slice(0, prompts),
  )
  if (asked.size === 0) return Effect.succeed([])
  const rows = { ...data, rows: [...asked.values()].map(({ row }) => row) }
  return evaluateTexts(model, rows, { metrics: [{ name: "none", score: () => ({}) }], maxNewTokens }).pipe(
    Effect.mapError((error) =>
      error._tag === "ModelError" || error._tag === "PluginError"
        ? new TrainingError({ reason: "Options", message: error.message })
        : error
    ),
    Effect.map(({ texts }) => texts.map(({ prompt, text }) => check.judge(text, asked.get(prompt)!.own))),
  )
}
