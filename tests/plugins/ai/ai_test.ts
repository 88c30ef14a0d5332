import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Decision from "effect/ai/Decision"
import * as DecisionModel from "effect/ai/DecisionModel"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import { answered } from "../../../core/inference/text/mod.ts"
import { Espalier, Model, Task } from "../../../mod.ts"
import * as Ai from "../../../plugins/ai/mod.ts"
import * as Chat from "../../../plugins/chat/mod.ts"
import * as Decisions from "../../../plugins/decisions/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"

const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
const chat = Chat.chatTemplate("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]")
const config: Decisions.DecisionConfig = {
  ...Decisions.DEFAULT_CONFIG,
  labels: { noul: ["Y", "N"] },
  temperature: { choice: 2 },
}

const withModel = <A, E>(
  use: (parts: Decisions.Decider & { readonly engine: Model.Engine }) => Effect.Effect<A, E, Espalier.Services>,
) => {
  const services = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  const program = Effect.gen(function* () {
    const model = yield* Model.load(directory, { task: Task.causalLM() })
    const tokenizer = yield* loadTokenizer(directory)
    return yield* use({ model, tokenizer, config, chat, engine: yield* Model.engine(model) })
  })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.provideMerge(Llama.layer, services))))
}

const Person = Schema.Struct({
  name: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(8)),
  age: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 130 })),
  kind: Schema.Literals(["friend", "stranger"]),
  note: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
})

Deno.test("an Effect program writes, streams and asks for objects by their schema", () =>
  withModel(({ engine, tokenizer }) =>
    Effect.gen(function* () {
      const prompt = [{ role: "system" as const, content: "Be brief." }, {
        role: "user" as const,
        content: "Who came?",
      }]
      const { text, usage, finishReason } = yield* LanguageModel.generateText({ prompt })
      const ids = tokenizer.encode("[system] Be brief.\n[user] Who came?\n[assistant]", { addSpecialTokens: false })
      const own = yield* answered(engine, tokenizer, ids, { maxNewTokens: 120, temperature: 1, seed: 3 })
      assertEquals([text, finishReason], [own.text, own.end.reason])
      assertEquals([usage.inputTokens.total, usage.outputTokens.total], [ids.length, own.tokens.length])
      const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt }))
      assertEquals(parts.map((part) => part.type === "text-delta" ? part.delta : "").join(""), text)
      assertEquals([parts[0].type, parts.at(-1)!.type], ["text-start", "finish"])
      const { value } = yield* LanguageModel.generateObject({ prompt, schema: Person })
      assert(value.name.length <= 8 && Number.isInteger(value.age) && ["friend", "stranger"].includes(value.kind))
      const endless = yield* Effect.flip(
        LanguageModel.generateObject({
          prompt,
          schema: Schema.Struct({ list: Schema.Array(Schema.Literal(1)).check(Schema.isMinLength(99)) }),
        }),
      )
      assertStringIncludes(endless.message, "not whole after 120 tokens")
      const tool = Toolkit.make(Tool.make("look", { success: Schema.String }))
      const asked = LanguageModel.generateText({ prompt, toolkit: tool })
      const refused = yield* Effect.flip(Effect.provide(asked, tool.toLayer({ look: () => Effect.succeed("") })))
      assertStringIncludes(refused.message, "calls no tools")
      const Odd = Schema.Struct({ list: Schema.Array(Schema.String).check(Schema.isUnique()) })
      const unsupported = yield* Effect.flip(LanguageModel.generateObject({ prompt, schema: Odd }))
      assertStringIncludes(unsupported.message, "uniqueItems")
    }).pipe(Effect.provide(Ai.languageModel({ engine, tokenizer, chat, maxNewTokens: 120, temperature: 1, seed: 3 })))
  ))

const Triage = Decision.make({
  input: Schema.Struct({ subject: Schema.String, urgent: Schema.Boolean }),
  decisions: {
    team: Decision.classify({ instructions: "Which team?", criteria: { billing: "payments", technical: null } }),
    anger: Decision.rate({ instructions: "How angry?", criteria: ["calm", "cross", "furious"] }),
    spam: Decision.probability({ instructions: "It is spam" }),
  },
})

Deno.test("decisions of an Effect program are those of the model", () =>
  withModel((decider) =>
    Effect.gen(function* () {
      const input = { subject: "Charged twice", urgent: true }
      const { answers, usage } = yield* DecisionModel.decide(Triage, { input })
      const { answers: [own], tokens } = yield* Decisions.decide(decider, [{
        state: input,
        questions: {
          team: { type: "choice", instructions: "Which team?", criteria: { billing: "payments", technical: null } },
          anger: { type: "score", instructions: "How angry?", criteria: ["calm", "cross", "furious"] },
          spam: { type: "noul", instructions: "It is spam" },
        },
      }])
      const { team, anger, spam } = own as unknown as {
        readonly team: Decisions.ChoiceAnswer
        readonly anger: Decisions.ScoreAnswer
        readonly spam: Decisions.YesAnswer
      }
      assertEquals({ ...answers.team.probabilities }, team.probabilities)
      assertEquals(answers.team.label, team.choice)
      assertEquals(Object.values(answers.anger.probabilities), Object.values(anger.probabilities))
      assertEquals([answers.anger.rating, answers.spam.probability], [anger.score, spam.noul])
      assertEquals([usage.inputTokens, usage.outputTokens], [tokens, 0])
      const many = Decision.make({
        input: Schema.String,
        decisions: {
          letter: Decision.rate({ instructions: "", criteria: Array.from({ length: 27 }, (_, i) => `${i}`) }),
        },
      })
      assertStringIncludes(
        (yield* Effect.flip(DecisionModel.decide(many, { input: "" }))).message,
        "at most 26 options",
      )
    }).pipe(Effect.provide(Ai.decisionModel(decider)))
  ))
