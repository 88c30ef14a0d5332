import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { load as loadModel } from "../../../core/inference/mod.ts"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { Espalier } from "../../../mod.ts"
import * as Chat from "../../../plugins/chat/mod.ts"
import * as Decisions from "../../../plugins/decisions/mod.ts"
import { prompter } from "../../../plugins/decisions/prompts.ts"
import * as Llama from "../../../plugins/llama/mod.ts"

const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
const fixtures = new URL("../../fixtures/decisions", import.meta.url).pathname
/** By transformers 5.24.0: see make.py there. */
const { chat_template, cases } = JSON.parse(Deno.readTextFileSync(`${fixtures}/expected.json`))

const withDecider = <A, E>(
  use: (decider: (config: Decisions.DecisionConfig) => Decisions.Decider) => Effect.Effect<A, E, Espalier.Services>,
) => {
  const services = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  const program = Effect.gen(function* () {
    const model = yield* loadModel(directory, { task: Task.causalLM() })
    const tokenizer = yield* loadTokenizer(directory)
    return yield* use((config) => ({ model, tokenizer, config, chat: Chat.chatTemplate(chat_template) }))
  })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.provideMerge(Llama.layer, services))))
}

/** Checks that two values are alike, numbers within a millionth. */
function alike(value: unknown, expected: unknown, at: string): void {
  if (typeof expected === "number") {
    return assert(Math.abs(value as number - expected) < 1e-5, `${at}: ${value}, ${expected}`)
  }
  if (typeof expected !== "object" || expected === null) return assertEquals(value, expected, at)
  assertEquals(Object.keys(value as object).sort(), Object.keys(expected).sort(), at)
  for (const [name, own] of Object.entries(expected)) {
    alike((value as Record<string, unknown>)[name], own, `${at}.${name}`)
  }
}

Deno.test("prompts and answers are those of transformers, with its files", async () => {
  await withDecider((decider) =>
    Effect.gen(function* () {
      for (const { config: name, request, prompts, answers } of cases) {
        const own = decider(yield* Decisions.load(`${fixtures}/${name}`))
        const made = prompter(own.tokenizer, own.config, own.chat).promptsOf(request)
        const expected = prompts.flatMap(({ ids, marks }: { ids: number[]; marks: number[] }) =>
          marks.map((mark) => ids.slice(0, mark))
        )
        assertEquals(made.map(({ ids }) => [...ids]), expected)
        const decided = yield* Decisions.decide(own, [request, request])
        for (const one of decided.answers) alike(one, answers, name)
        assertEquals(decided.tokens, 2 * expected.reduce((sum: number, { length }: number[]) => sum + length, 0))
      }
    })
  )
})

Deno.test("settings that are written are read again, by their names in transformers", async () => {
  await withDecider(() =>
    Effect.gen(function* () {
      const folder = Deno.makeTempDirSync()
      for (const name of ["default", "cold", "marked"]) {
        const config = yield* Decisions.load(`${fixtures}/${name}`)
        yield* Decisions.save(`${folder}/${name}`, config)
        assertEquals(yield* Decisions.load(`${folder}/${name}`), config)
        for (const { name: file } of Deno.readDirSync(`${fixtures}/${name}`)) {
          const [own, theirs] = [folder, fixtures].map((at) => Deno.readTextFileSync(`${at}/${name}/${file}`))
          if (file.endsWith(".json")) assertEquals(JSON.parse(own), JSON.parse(theirs))
          else assertEquals(own, theirs)
        }
      }
      for (
        const [content, message] of [
          ['{"sort_choices": true}', 'unknown field "sort_choices"'],
          ['{"temperature": {"choice": 0}}', "temperature.choice must be a number above 0"],
          ['{"labels": {"yes": ["a"]}}', "labels.yes must be"],
          ['{"noul_options": ["true"]}', "noul_options must order"],
          ['{"adapter": "lora"}', 'the adapter in "lora"'],
          ["{", "is not JSON"],
        ]
      ) {
        Deno.writeTextFileSync(`${folder}/decision.json`, content)
        assertStringIncludes((yield* Effect.flip(Decisions.load(folder))).message, message)
      }
      Deno.removeSync(folder, { recursive: true })
    })
  )
})

Deno.test("what cannot be asked is a typed error", async () => {
  await withDecider((decider) =>
    Effect.gen(function* () {
      const own = decider(Decisions.DEFAULT_CONFIG)
      const choice = { type: "choice", criteria: { a: null, b: null } }
      for (
        const [questions, message, state = "x"] of [
          [{}, "at least one question"],
          [{ q: { type: "rank" } }, 'question "q": type must be one of noul, choice, score, got "rank"'],
          [{ q: { type: "choice", criteria: {} } }, "at least one"],
          [{ q: { ...choice, labels: [] } }, 'unknown field "labels"'],
          [{ q: { type: "noul", criteria: { yes: "a" } } }, 'true and false, got "yes"'],
          [{ q: { type: "score", criteria: Array.from({ length: 27 }, String) } }, "at most 26 options"],
          [{ q: { type: "noul" } }, '["Yes","No"] are not different single tokens'],
          [{ q: choice }, "special token", { deep: ["<|endoftext|>"] }],
        ] as unknown as ReadonlyArray<readonly [Decisions.DecisionRequest["questions"], string, unknown?]>
      ) {
        const state_ = JSON.parse(
          JSON.stringify(state).replace("<|endoftext|>", own.tokenizer.token(own.tokenizer.eosId!)!),
        )
        assertStringIncludes(
          (yield* Effect.flip(Decisions.decide(own, [{ state: state_, questions }]))).message,
          message,
        )
      }
      const { chat: _, ...bare } = own
      assertStringIncludes(
        (yield* Effect.flip(Decisions.decide(bare, [{ state: "", questions: {} }]))).message,
        "neither a chat template",
      )
    })
  )
})
