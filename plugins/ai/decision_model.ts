import * as AiError from "effect/ai/AiError"
import type * as Decision from "effect/ai/Decision"
import * as DecisionModel from "effect/ai/DecisionModel"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { decide, type Decider, type DecisionAnswer, type Question } from "../decisions/mod.ts"

/**
 * Effect's `DecisionModel` by a model that answers questions in one pass: every decision of a definition is a question, a
 * classification a choice, a rating a score. Images and `locate` are refused.
 */
export const decisionModel = (decider: Decider): Layer.Layer<DecisionModel.DecisionModel> =>
  Layer.effect(
    DecisionModel.DecisionModel,
    DecisionModel.make({
      decide: ({ state, decisions }) => {
        const questions = Object.fromEntries(Object.entries(decisions).map(([name, one]) => [name, questionOf(one)]))
        return Effect.map(decide(decider, [{ state, questions }]), ({ answers: [answers], tokens }) => ({
          answers: Object.fromEntries(
            Object.entries(decisions).map(([name, one]) => [name, answerOf(one, answers[name])]),
          ),
          usage: { inputTokens: tokens, outputTokens: 0 },
        })).pipe(Effect.mapError(({ _tag, message }) =>
          AiError.make({
            module: "DecisionModel",
            method: "decide",
            reason: _tag === "DecisionError"
              ? new AiError.InvalidUserInputError({ description: message })
              : new AiError.InternalProviderError({ description: message }),
          })
        ))
      },
    }),
  )

type Asked = Exclude<Decision.Any, Decision.Locate>

function questionOf(decision: Asked): Question {
  const { instructions } = decision
  if (decision._tag === "Classify") return { type: "choice", instructions, criteria: decision.criteria }
  if (decision._tag === "Probability") return { type: "noul", instructions, criteria: decision.criteria ?? null }
  return { type: "score", instructions, criteria: decision.criteria.map(({ description }) => description) }
}

function answerOf(decision: Asked, answer: DecisionAnswer): DecisionModel.ProviderAnswer {
  if (answer.type === "noul") return { _tag: "Probability", probability: answer.noul }
  const { probabilities } = answer
  const confidence = Math.min(1, answer.confidence)
  if (answer.type === "choice") return { _tag: "Classify", label: answer.choice, probabilities, confidence }
  const levels = (decision as Decision.Rate<string>).criteria
  const named = Object.fromEntries(levels.map(({ label }, i) => [label, probabilities[i]]))
  return { _tag: "Rate", rating: Math.min(levels.length - 1, answer.score), probabilities: named, confidence }
}
