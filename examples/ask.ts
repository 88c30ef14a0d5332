/**
 * Trains a model to decide, then asks it from a program that knows nothing of it but `effect/ai`.
 *
 * ```sh
 * deno run -P examples/ask.ts --steps 60
 * ```
 *
 * @module
 */
import * as Decision from "effect/ai/Decision"
import * as DecisionModel from "effect/ai/DecisionModel"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { field } from "../core/options/mod.ts"
import { Dataset, Espalier, Model, Tokenizer, Trainer } from "../mod.ts"
import * as Ai from "../plugins/ai/mod.ts"
import * as Decisions from "../plugins/decisions/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import { flagsOf, main } from "./shared.ts"

const local = (name: string) => new URL(name, import.meta.url).pathname

const instructions = "Is the message unsolicited?"

/** The program that asks. */
const Inbox = Decision.make({
  input: Schema.String,
  decisions: { spam: Decision.probability({ instructions }) },
})
const ask = (input: string) =>
  Effect.gen(function* () {
    const { answers } = yield* DecisionModel.decide(Inbox, { input })
    yield* Console.log(`${answers.spam.probability.toFixed(3)} spam: ${input}`)
  })

/** A model that has learned the question, as Effect's service. */
const learned = (maxSteps: number) =>
  Layer.unwrap(Effect.gen(function* () {
    const directory = local("models/espalier-1m")
    const tokenizer = yield* Tokenizer.loadTokenizer(directory)
    const config: Decisions.DecisionConfig = {
      ...Decisions.DEFAULT_CONFIG,
      labels: { noul: ["Y", "N"] },
      template: "{{ state }}\n{{ question.instructions }} Answer {{ question.labels | join(' or ') }}:<|mark|>",
    }
    const question: Decisions.Question = { type: "noul", instructions }
    const task = Decisions.decision({ tokenizer, config }, question)
    const messages = yield* Dataset.tsv(local("data/sms_spam.tsv"), { text: "SMS", label: "Label" })
    const rows = messages.rows.map(({ text, label }) => ({
      text,
      spam: messages.labels[label] === "spam" ? "true" : "false",
    }))
    const data = yield* Dataset.rows(rows, Decisions.columns(question, { state: "text", answer: "spam" })).pipe(
      Dataset.split({ validation: 0.03, test: 0.87, seed: 7 }),
    )
    const model = yield* Model.load(directory, { task })
    const run = yield* Trainer.fit(model, data, { maxSteps, learningRate: 3e-3, batchSize: 16, maxLength: 512 })
    const { metrics, predictions } = yield* Trainer.evaluate(run.model, data.validation, { maxLength: 512 })
    const noul = Decisions.fitTemperature(predictions, task.labels!)
    yield* Console.log(`accuracy ${metrics.accuracy.toFixed(3)}, temperature ${noul.toFixed(2)}`)
    return Ai.decisionModel({ model: run.model, tokenizer, config: { ...config, temperature: { noul } } })
  }))

const command = Command.make(
  "ask",
  flagsOf({ steps: field.integer({ minimum: 1, default: 120, doc: "Steps of training" }) }),
  ({ steps }) =>
    Effect.forEach(["WINNER! Claim your free prize now, call 09061701461", "Ok, see you at six then"], ask).pipe(
      Effect.provide(learned(steps)),
      Effect.scoped,
      Effect.provide(
        Layer.provideMerge(
          Layer.mergeAll(Lora.layer({ r: 8, targetModules: "all-linear" }), Llama.layer),
          Espalier.layer,
        ),
      ),
      Effect.asVoid,
    ),
).pipe(Command.withDescription("Trains a model to decide, then asks it through effect's DecisionModel"))

if (import.meta.main) main(command)
