import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import { generate, initialize, load, type Model } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { evaluate } from "../../support/evaluate.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"

const task = Task.causalLM()
const prompt = Int32Array.of(3, 17, 8, 21)
/** By transformers 4.57: `generate(do_sample=False, max_new_tokens=20)` with the fixture `llama/mistral`. */
const EXPECTED = [19, 20, 17, 20, 17, 20, 17, 27, 20, 17, 27, 20, 28, 13, 20, 8, 27, 20, 19, 27]

/** The same without memory of earlier tokens: the whole text anew for each token. */
function anew(model: Model, backend: MemoryBackend, count: number): number[] {
  const tokens = [...prompt]
  for (let i = 0; i < count; i++) {
    const length = tokens.length
    const { logits } = model.forward({
      tokens: ops.input("tokens", [1, length], { dtype: "i32" }),
      lengths: ops.full(length, [1], "i32"),
      fields: {},
      exampleWeight: ops.full(1, [1]),
      task: "",
    }, { training: false })
    const values = evaluate(ops.narrow(logits, 1, length - 1, length), { inputs: { tokens }, slots: backend.slots })
    tokens.push(values.indexOf(Math.max(...values)))
  }
  return tokens.slice(prompt.length)
}

const register = (contribution: Contribution) =>
  Layer.effectDiscard(Effect.flatMap(Effect.service(Plugins), (plugins) => plugins.register(contribution)))

Deno.test("greedy generation gives the tokens that transformers gives", async () => {
  await run(Effect.gen(function* () {
    const model = yield* load(fixture("llama/mistral"), { task })
    assertEquals([...yield* generate(model, prompt, { maxNewTokens: 20 })], EXPECTED)
    assertEquals(
      [...yield* generate(model, prompt, { maxNewTokens: 30, stop: [EXPECTED[7]] })],
      EXPECTED.slice(0, 8),
    )
  }))
})

Deno.test("greedy generation past the windows of all or some layers gives the tokens that transformers gives", async () => {
  for (const name of ["llama/mistral_window", "llama/qwen3"]) {
    const { greedy } = JSON.parse(Deno.readTextFileSync(fixture(`${name}/expected.json`)))
    await run(Effect.gen(function* () {
      const model = yield* load(fixture(name), { task })
      assertEquals([...yield* generate(model, prompt, { maxNewTokens: 20 })], greedy)
    }))
  }
})

Deno.test("memory of earlier tokens changes nothing, with prefixes of keys and of rows too; it is kept for the next text and freed with the model", async () => {
  const prefix = register({
    id: "prefix",
    sites: [{
      select: ["self_attn"],
      plan: ({ sizes: { keyValueHeads, headDim } }) => {
        const part = { shape: [1, keyValueHeads, 3, headDim], initializer: { kind: "normal", std: 2 } } as const
        return {
          place: "kv-prefix",
          length: 3,
          parameters: { keys: part, values: part },
          forward: (scope) => ({ keys: scope.parameter("keys"), values: scope.parameter("values") }),
        }
      },
    }],
  })
  const rows = register({
    id: "rows",
    sites: [{
      select: ["model"],
      plan: () => ({
        place: "input-prefix",
        length: 2,
        parameters: { rows: { shape: [2, 16], initializer: { kind: "normal", std: 2 } } },
        forward: (scope) => scope.parameter("rows"),
      }),
    }],
  })
  const all = [undefined, prefix, rows, Layer.merge(prefix, rows)]
  const cases = ["mistral", "mistral_window"].flatMap((name) => all.map((plugins) => ({ name, plugins })))
  for (const { name, plugins } of cases) {
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture(`llama/${name}`), { task })
        const made = [...yield* generate(model, prompt, { maxNewTokens: 10 })]
        assertEquals(made, anew(model, backend, 10))
        assert(new Set(made).size > 2)
        const slots = backend.slots.size
        assertEquals([...yield* generate(model, prompt, { maxNewTokens: 10 })], made)
        assertEquals(backend.slots.size, slots)
      }),
      plugins,
      backend,
    )
    assertEquals(backend.slots.size, 0)
  }
})

Deno.test("what cannot be generated is a typed error", async () => {
  const rows = (length: number) =>
    register({
      id: "rows",
      sites: [{
        select: ["model"],
        plan: () => ({
          place: "input-prefix",
          length,
          parameters: { rows: { shape: [length, 16], initializer: { kind: "zeros" } } },
          forward: (scope) => scope.parameter("rows"),
        }),
      }],
    })
  await run(
    Effect.gen(function* () {
      const model = yield* load(fixture("llama/llama"), { task })
      const attempt = (ids: Int32Array, maxNewTokens?: number) =>
        Effect.map(
          Effect.flip(generate(model, ids, maxNewTokens === undefined ? {} : { maxNewTokens })),
          ({ _tag, message }) => `${_tag} ${message}`,
        )
      assertStringIncludes(yield* attempt(prompt), "a prompt of 4 tokens and 64 new ones must be 1 to 62 positions")
      assertStringIncludes(yield* attempt(new Int32Array(0), 8), "a prompt of 0 tokens")
      assertStringIncludes(yield* attempt(Int32Array.of(32), 8), "from 0 to 31")
      assertStringIncludes(yield* attempt(prompt, 0), "got 0")
    }),
    rows(2),
  )
  const full = await failure(load(fixture("llama/llama"), { task }), rows(64))
  assertEquals(full._tag, "PluginError")
  assertStringIncludes(full.message, "prefixes of 64 places leave no room in the model's 64 positions")
  await run(Effect.gen(function* () {
    const { config } = yield* load(fixture("llama/qwen2"), { task: Task.classification(["a", "b", "c"]) })
    const classifier = yield* initialize(config, { task: Task.classification(["a", "b"]) })
    assertStringIncludes((yield* Effect.flip(generate(classifier, prompt))).message, "only a causal language model")
  }))
})
