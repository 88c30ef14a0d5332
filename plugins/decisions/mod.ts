/**
 * Decisions: one pass over a prompt answers a question over given options, with a probability for each; nothing is generated.
 * Reads and writes transformers' `decision.json` and `decision_template.jinja`, and learns a question from rows.
 *
 * ```ts
 * import { Dataset, Model, Task, Tokenizer, Trainer } from "@espalier/espalier"
 * import * as Chat from "@espalier/espalier/chat"
 * import * as Decisions from "@espalier/espalier/decisions"
 * import * as Effect from "effect/Effect"
 *
 * const tone: Decisions.Question = {
 *   type: "choice",
 *   instructions: "What is the tone?",
 *   criteria: { calm: null, pushy: "Presses the reader" },
 * }
 *
 * export const program = Effect.gen(function* () {
 *   const directory = "models/chat"
 *   const tokenizer = yield* Tokenizer.loadTokenizer(directory)
 *   const [config, chat] = [yield* Decisions.load(directory), yield* Chat.load(directory)]
 *   const task = Decisions.decision({ tokenizer, config, chat }, tone)
 *   const columns = Decisions.columns(tone, { state: "text", answer: "tone" })
 *   const data = yield* Dataset.csv("messages.csv", columns).pipe(Dataset.split({ validation: 0.2 }))
 *   const model = yield* Model.load(directory, { task })
 *   const run = yield* Trainer.fit(model, data)
 *   const { predictions } = yield* Trainer.evaluate(run.model, data.validation)
 *   const choice = Decisions.fitTemperature(predictions, task.labels!)
 *   yield* Decisions.save("runs/tone", { ...config, temperature: { choice } })
 *
 *   const decider = { model: run.model, tokenizer, config: { ...config, temperature: { choice } }, chat }
 *   const { answers } = yield* Decisions.decide(decider, [{ state: "Click here!", questions: { tone } }])
 *   console.log(answers[0].tone)
 * })
 * ```
 *
 * @module
 */
export { columns, type DecisionColumns, type DecisionRow } from "./columns.ts"
export { decide, type Decided, type Decider } from "./decide.ts"
export type { QuestionType } from "./question_type.ts"
export { type DecisionConfig, DEFAULT_CONFIG, load, save } from "./decision_config.ts"
export { DecisionError, type DecisionErrorFields } from "./decision_error.ts"
export { decision } from "./decision_task.ts"
export { fitTemperature } from "./fit_temperature.ts"
export type {
  ChoiceAnswer,
  ChoiceQuestion,
  DecisionAnswer,
  DecisionRequest,
  Description,
  Question,
  ScoreAnswer,
  ScoreQuestion,
  YesAnswer,
  YesQuestion,
} from "./question.ts"
