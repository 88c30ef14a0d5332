/**
 * Rows beside each other: each has the bits that it has alone, in whatever parts its prompt is read and whoever had read its
 * first tokens.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { type Engine, engine, initialize, load, type Model, type RowOptions } from "../../../core/inference/mod.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import * as Gemma from "../../../plugins/gemma/mod.ts"
import * as Gpt2 from "../../../plugins/gpt2/mod.ts"
import * as Lfm2 from "../../../plugins/lfm2/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import * as T5 from "../../../plugins/t5/mod.ts"
import { writeModel } from "../../support/on_wasm.ts"

type Json = Readonly<Record<string, unknown>>
type Methods = Layer.Layer<never>

const VOCABULARY = 32
const llama = {
  model_type: "llama",
  vocab_size: VOCABULARY,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  max_position_embeddings: 384,
  initializer_range: 0.3,
}

/** Runs with a model of random weights and these methods, on two threads. */
const withModel = (
  made: Effect.Effect<Model, unknown, never>,
  methods: Methods,
  use: (model: Model) => Effect.Effect<void, unknown, Scope.Scope>,
): Promise<void> => {
  const base = Layer.mergeAll(Wasm.layer({ threads: 2 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const families = Layer.mergeAll(Llama.layer, Gpt2.layer, Gemma.layer, Lfm2.layer, T5.layer)
  const all = Layer.merge(methods, families).pipe(Layer.provideMerge(base))
  return Effect.runPromise(
    Effect.scoped(Effect.flatMap(made, use)).pipe(Effect.provide(all, { local: true })) as Effect.Effect<void>,
  )
}
const random = (config: Json, task: Task = Task.causalLM()) =>
  initialize(config, { task, seed: 5 }) as Effect.Effect<Model, unknown, never>
const none: Methods = Layer.empty

/** Tokens of a text of its own. */
const text = (length: number, seed: number) =>
  Int32Array.from({ length }, (_, i) => 2 + Math.floor((VOCABULARY - 2) * Math.abs(Math.sin(seed + 1.37 * i * i))))
const joined = (...parts: ReadonlyArray<Int32Array>) => Int32Array.from(parts.flatMap((part) => [...part]))

/** Prompts of many lengths; every second one begins with one of two texts. Two are the same, and the longest there is room for. */
const PROMPTS = Array.from({ length: 20 }, (_, i) => {
  if (i === 10 || i === 15) return text(354, 99)
  const own = text([3, 40, 1, 130, 17, 64, 9, 25][i % 8], i)
  return i % 2 === 0 ? own : joined(text(i % 4 === 1 ? 70 : 150, 77), own)
})
const options = (i: number): RowOptions => ({ maxNewTokens: 30 + i % 5, logProbabilities: true })

/** Tokens and probabilities of rows of which only some are there at first; beside them some that leave early. */
const together = (made: Engine): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>> =>
  Effect.promise(async () => {
    const tokens: Array<Array<unknown>> = PROMPTS.map(() => [])
    let open = PROMPTS.length, most = 0
    const insert = (i: number) =>
      made.insert(PROMPTS[i], {
        ...options(i),
        onToken: (token) => {
          tokens[i].push(token)
          if (token.finished !== undefined) open--
        },
      })
    const strangers = [200, 5].map((length) => made.insert(text(length, 40 + length), { maxNewTokens: 50 }))
    PROMPTS.slice(0, 11).forEach((_, i) => insert(i))
    for (let step = 0; open > 0; step++) {
      if (step === 2) PROMPTS.slice(11).forEach((_, i) => insert(11 + i))
      if (step === 3) strangers.forEach(made.remove)
      most = Math.max(most, (await made.next()).size)
    }
    assert(most > 16)
    return tokens
  })

/** The same of each row for itself, from its first token on. */
const alone = (model: Model) =>
  Effect.gen(function* () {
    const one = yield* engine(model, { rows: 1 })
    const all: Array<ReadonlyArray<unknown>> = []
    for (const [i, prompt] of PROMPTS.entries()) {
      const tokens: Array<unknown> = []
      one.insert(prompt, { ...options(i), onToken: (token) => void tokens.push(token) })
      while (one.statistics().running + one.statistics().waiting > 0) yield* Effect.promise(one.next)
      all.push(tokens)
    }
    assertEquals(one.statistics().sharedTokens, 0)
    return all
  })

const quantized = Effect.gen(function* () {
  const directory = Deno.makeTempDirSync()
  const { vocab_size, hidden_size, max_position_embeddings } = { ...llama, hidden_size: 64 }
  yield* Effect.promise(() => writeModel(directory, { vocab_size, hidden_size, max_position_embeddings }))
  const model = yield* load(directory, { task: Task.causalLM(), weights: Q4_1, frozen: true })
  Deno.removeSync(directory, { recursive: true })
  return model
}) as Effect.Effect<Model, unknown, never>

const gemma2 = {
  ...llama,
  model_type: "gemma2",
  sliding_window: 24,
  attn_logit_softcapping: 5,
  final_logit_softcapping: 3,
  query_pre_attn_scalar: 8,
}
const gpt2 = {
  model_type: "gpt2",
  vocab_size: VOCABULARY,
  n_embd: 24,
  n_head: 4,
  n_layer: 2,
  n_positions: 384,
  initializer_range: 0.3,
}
const lfm2 = {
  ...llama,
  model_type: "lfm2",
  block_auto_adjust_ff_dim: false,
  conv_L_cache: 3,
  conv_bias: true,
  layer_types: ["conv", "full_attention", "conv"],
  num_hidden_layers: 3,
  norm_eps: 1e-5,
}
const t5 = {
  model_type: "t5",
  vocab_size: VOCABULARY,
  d_model: 24,
  d_ff: 40,
  d_kv: 6,
  num_heads: 3,
  num_layers: 2,
  decoder_start_token_id: 0,
  pad_token_id: 0,
  relative_attention_max_distance: 40,
  relative_attention_num_buckets: 8,
  initializer_factor: 3,
}
const method = (layer: unknown) => layer as Methods

const cases: ReadonlyArray<{ name: string; model: Effect.Effect<Model, unknown>; methods?: Methods; shares: boolean }> =
  [
    { name: "rotary positions, grouped heads", model: random(llama), shares: true },
    { name: "weights in blocks", model: quantized, shares: true },
    { name: "learned positions", model: random(gpt2), shares: true },
    { name: "windows and bounded scores", model: random(gemma2), shares: true },
    {
      name: "keys and values before the text",
      model: random({ ...llama, max_position_embeddings: 389 }),
      methods: method(PrefixTuning.layer({ numVirtualTokens: 5 })),
      shares: true,
    },
    {
      name: "rows before the text",
      model: random({ ...llama, max_position_embeddings: 389 }),
      methods: method(PromptTuning.layer({ numVirtualTokens: 5 })),
      shares: true,
    },
    { name: "states", model: random(lfm2), shares: false },
    { name: "an encoder", model: random(t5, Task.seq2seq()), shares: false },
  ]

for (const { name, model: made, methods = none, shares } of cases) {
  Deno.test(`20 rows beside each other have the bits that each has alone: ${name}`, () =>
    withModel(made, methods, (model) =>
      Effect.gen(function* () {
        const expected = yield* alone(model)
        assert(new Set(expected.flat().map((one) => (one as { token: number }).token)).size > 5)
        const many = yield* engine(model, { rows: 20 })
        assertEquals(yield* together(many), expected)
        assertEquals(many.statistics().sharedTokens > 0, shares)
      })))
}

Deno.test("rows take part in the order of their arrival; one that is removed leaves its place to the next", () =>
  withModel(random(llama), none, (model) =>
    Effect.gen(function* () {
      const { insert, next, remove, statistics } = yield* engine(model, { rows: 2 })
      const ids = [20, 3, 30, 40].map((length, i) => insert(text(length, i), { maxNewTokens: 9 }))
      const zeros = { cachedTokens: 0, promptTokens: 0, sharedTokens: 0, newTokens: 0 }
      assertEquals(statistics(), { running: 0, waiting: 4, ...zeros })
      const step = Effect.map(Effect.promise(next), (made) => [...made.keys()])
      assertEquals(yield* step, ids.slice(0, 2))
      const counts = { cachedTokens: 23, promptTokens: 23, sharedTokens: 0, newTokens: 2 }
      assertEquals(statistics(), { running: 2, waiting: 2, ...counts })
      remove(ids[0])
      assertEquals(statistics(), { running: 1, waiting: 2, ...counts, cachedTokens: 3 })
      assertEquals(yield* step, [ids[1], ids[2]])
      remove(ids[1])
      remove(ids[2])
      assertEquals(yield* step, [ids[3]])
      assertEquals(statistics(), {
        running: 1,
        waiting: 0,
        cachedTokens: 40,
        promptTokens: 93,
        sharedTokens: 0,
        newTokens: 5,
      })
    })))

Deno.test("a row goes on while a long prompt beside it is read", () =>
  withModel(random(llama), none, (model) =>
    Effect.gen(function* () {
      const { insert, next } = yield* engine(model)
      const short = insert(text(3, 1), { maxNewTokens: 20 })
      yield* Effect.promise(next)
      const long = insert(text(350, 2), { maxNewTokens: 5 })
      const steps: Array<boolean> = []
      for (let i = 0; i < 4; i++) {
        const made = yield* Effect.promise(next)
        assert(made.has(short))
        steps.push(made.has(long))
      }
      assertEquals(steps, [false, false, true, true])
    })))

const lora = (name: string) => Lora.layer({ name, r: 2, initLoraWeights: false })

Deno.test("what was read of a prompt is kept while no row runs where it is asked for, and is of its plugin alone", () =>
  withModel(
    random(llama),
    method(Layer.merge(lora("a"), lora("b"))),
    (model) =>
      Effect.gen(function* () {
        const plugins = ["lora/a", "lora/b"]
        for (const keepPrompts of [true, false]) {
          const kept = yield* engine(model, { rows: 1, plugins, keepPrompts })
          const shared: Array<number> = []
          for (const plugin of ["lora/a", "lora/a", "lora/b", "lora/b", ""]) {
            const before = kept.statistics().sharedTokens
            kept.insert(text(50, 3), { maxNewTokens: 2, plugin })
            while ((yield* Effect.promise(kept.next)).size > 0);
            shared.push(kept.statistics().sharedTokens - before)
          }
          assertEquals(shared, keepPrompts ? [0, 49, 0, 49, 0] : [0, 0, 0, 0, 0])
        }
      }),
  ))
