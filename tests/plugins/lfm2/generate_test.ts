/**
 * Generation with states of convolutions beside keys and values.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import type { BackendService } from "../../../core/backend/backend.ts"
import { BackendError } from "../../../core/backend/backend_error.ts"
import { engine, generate, initialize, type Model } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { evaluate } from "../../support/evaluate.ts"
import { keysBefore, registered, rowsBefore } from "../../support/expected_logits.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { run } from "../../support/model_layer.ts"
import { tiny } from "./tiny.ts"

const task = Task.causalLM()
const prompt = (length: number) => Int32Array.from({ length }, (_, i) => (7 * length + 5 * i + 3) % 17)
const numbers = (count: number) => Array.from({ length: count }, (_, i) => Math.sin(1 + i * 1.7))

/** New tokens without any memory: the whole text anew for each. */
function anew(model: Model, { slots }: MemoryBackend, start: Int32Array, count: number): number[] {
  const tokens = [...start]
  for (let i = 0; i < count; i++) {
    const length = tokens.length
    const { logits } = model.forward({
      tokens: ops.input("tokens", [1, length], { dtype: "i32" }),
      lengths: ops.full(length, [1], "i32"),
      fields: {},
      exampleWeight: ops.full(1, [1]),
      task: "",
    }, { training: false })
    const values = evaluate(ops.narrow(logits, 1, length - 1, length), { inputs: { tokens }, slots })
    tokens.push(values.indexOf(Math.max(...values)))
  }
  return tokens.slice(start.length)
}

Deno.test("states of convolutions change nothing, with prefixes of keys and of rows too", async () => {
  const prefix = keysBefore({ values: numbers(2 * 2 * 3 * 4), logits: [] }, ["model.layers.1.self_attn"])
  const rows = rowsBefore({ values: numbers(3 * 16), logits: [] })
  for (const contributions of [[], [prefix], [rows], [prefix, rows]]) {
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(tiny, { task, seed: 5 })
        for (const length of [1, 2, 7]) {
          const made = [...yield* generate(model, prompt(length), { maxNewTokens: 6 })]
          assertEquals(made, anew(model, backend, prompt(length), 6), `${length} tokens`)
          assert(new Set(made).size > 2)
        }
      }),
      registered(...contributions),
      backend,
    )
    assertEquals(backend.slots.size, 0)
  }
})

Deno.test("rows join, leave and outgrow the cache with the states that they have alone", async () => {
  const backend = memoryBackend()
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(tiny, { task, seed: 5 })
      const texts = [[3, 12], [1, 5], [58, 8]] as const
      const alone = texts.map(([length, count]) => anew(model, backend, prompt(length), count))
      const together = yield* engine(model, { rows: 2 })
      const made = new Map<number, Array<number>>()
      for (const [length, maxNewTokens] of texts) made.set(together.insert(prompt(length), { maxNewTokens }), [])
      for (
        let step = yield* Effect.promise(together.next);
        step.size > 0;
        step = yield* Effect.promise(together.next)
      ) {
        for (const [id, { token }] of step) made.get(id)!.push(token)
      }
      assertEquals([...made.values()], alone)
      assert(alone.every((tokens) => new Set(tokens).size > 2))
    }),
    undefined,
    backend,
  )
})

/** A backend of which one program cannot be compiled while it is named. */
function breaking(backend: MemoryBackend, broken: { name?: string }): MemoryBackend {
  const { compile } = backend as BackendService
  return {
    ...backend,
    compile: async (...all: Parameters<BackendService["compile"]>) => {
      if (all[0].name === broken.name) throw new BackendError({ reason: "OutOfMemory", message: "no memory" })
      return await compile(...all)
    },
  }
}

Deno.test("a step that failed after some rows had gone on can be taken again", async () => {
  const memory = memoryBackend(), broken: { name?: string } = {}
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(tiny, { task, seed: 5 })
      const [first, second] = [anew(model, memory, prompt(3), 9), anew(model, memory, prompt(20), 5)]
      const rows = yield* engine(model, { rows: 2 })
      const id = rows.insert(prompt(3), { maxNewTokens: 9 })
      const made: Array<number> = []
      const step = Effect.tryPromise(rows.next)
      for (let i = 0; i < 3; i++) made.push((yield* step).get(id)!.token)
      const other = rows.insert(prompt(20), { maxNewTokens: 5 }), others: Array<number> = []
      broken.name = "generate 1x32"
      for (let i = 0; i < 2; i++) yield* Effect.flip(step)
      delete broken.name
      for (let found = yield* step; found.size > 0; found = yield* step) {
        if (found.has(id)) made.push(found.get(id)!.token)
        if (found.has(other)) others.push(found.get(other)!.token)
      }
      assertEquals([made, others], [first, second])
    }),
    undefined,
    breaking(memory, broken),
  )
})
