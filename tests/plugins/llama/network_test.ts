import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import { load, type Model } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, fixture, run } from "../../support/model_layer.ts"

interface Expected {
  readonly tokens: number[][]
  readonly lengths: number[]
  readonly logits: number[]
  readonly keyValues: { readonly values: number[]; readonly logits: number[] }
  readonly rows: { readonly values: number[]; readonly logits: number[] }
}

const expectedOf = (name: string): Expected => JSON.parse(Deno.readTextFileSync(fixture(`llama/${name}/expected.json`)))

const batch: BatchTensors = {
  tokens: ops.input("tokens", [2, 7], { dtype: "i32", batch: true }),
  lengths: ops.input("lengths", [2], { dtype: "i32", batch: true }),
  fields: { labels: ops.input("labels", [2], { dtype: "i32", batch: true }) },
  exampleWeight: ops.input("exampleWeight", [2], { batch: true }),
  task: "default",
}

const contribute = (contribution: Contribution) =>
  Layer.effectDiscard(Effect.flatMap(Effect.service(Plugins), (plugins) => plugins.register(contribution)))

/** Three rows before the tokens. */
const rowsOf = (name: string): Contribution => ({
  id: "test/rows",
  sites: [{
    select: "model",
    plan: () => {
      const data = Float32Array.from(expectedOf(name).rows.values)
      return {
        place: "input-prefix",
        length: 3,
        parameters: { rows: { shape: [3, 16], initializer: { kind: "values", data } } },
        forward: (scope) => scope.parameter("rows"),
      }
    },
  }],
})

/** Logits of a fixture's rows without padding, here and in transformers. */
async function difference(
  name: string,
  task: Task,
  contribution?: Contribution,
  wanted: (expected: Expected) => number[] = (expected) => expected.logits,
): Promise<{ readonly error: number; readonly model: Model }> {
  const expected = expectedOf(name)
  const backend = memoryBackend()
  return await run(
    Effect.gen(function* () {
      const model = yield* load(fixture(`llama/${name}`), { task })
      const { logits } = model.forward(batch, { training: false })
      const data = { inputs: { tokens: expected.tokens.flat(), lengths: expected.lengths }, slots: backend.slots }
      const cut = (values: ArrayLike<number>) =>
        task.kind === "classification"
          ? values
          : Array.from(values).filter((_, i) => Math.floor(i / 32) % 7 < expected.lengths[Math.floor(i / 224)])
      return { error: distance(cut(evaluate(logits, data)), cut(wanted(expected))), model }
    }),
    contribution === undefined ? undefined : contribute(contribution),
    backend,
  )
}

Deno.test("llama: biases, tied embeddings, grouped heads and scaled rotary positions as in transformers", async () => {
  const { error, model } = await difference("llama", Task.causalLM())
  assert(error < 1e-5, `logits are off by ${error}`)
  assert(model.parameters.every(({ trainable }) => trainable))
  assert(!model.parameters.some(({ key }) => key === "lm_head.weight"))
})

Deno.test("mistral: other head width, activation and theta, f16 weights as in transformers", async () => {
  const { error } = await difference("mistral", Task.causalLM())
  assert(error < 1e-5, `logits are off by ${error}`)
})

Deno.test("mistral and qwen3: windows of all layers or of some, norms of heads, as in transformers", async () => {
  for (const name of ["mistral_window", "qwen3"]) {
    const { error } = await difference(name, Task.causalLM())
    assert(error < 1e-5, `${name}: logits are off by ${error}`)
    const rows = await difference(name, Task.causalLM(), rowsOf(name), ({ rows }) => rows.logits)
    assert(rows.error < 1e-5, `${name}: with rows before the tokens, logits are off by ${rows.error}`)
  }
})

Deno.test("qwen2: classification by the last token that is not padding, bf16 weights as in transformers", async () => {
  const { error, model } = await difference("qwen2", Task.classification(["a", "b", "c"]))
  assert(error < 1e-5, `logits are off by ${error}`)
  assertEquals(model.modules.filter(({ outputHead }) => outputHead).map(({ path }) => path), ["score"])
})

Deno.test("prefix keys count as past_key_values do in transformers", async () => {
  for (const name of ["llama", "mistral"]) {
    const { values } = expectedOf(name).keyValues
    const width = values.length / 4
    const { error } = await difference(name, Task.causalLM(), {
      id: "test/prefix",
      sites: [{
        select: (module) => module.kind === "Attention",
        plan: ({ path, sizes }) => {
          const layer = Number(path.split(".")[2])
          const shape = [1, sizes.keyValueHeads, 3, sizes.headDim]
          const part = (i: number) => ({
            shape,
            initializer: { kind: "values", data: Float32Array.from(values.slice(i * width, (i + 1) * width)) } as const,
          })
          return {
            place: "kv-prefix",
            length: 3,
            parameters: { keys: part(2 * layer), values: part(2 * layer + 1) },
            forward: (scope) => ({ keys: scope.parameter("keys"), values: scope.parameter("values") }),
          }
        },
      }],
    }, (expected) => expected.keyValues.logits)
    assert(error < 1e-5, `${name}: logits are off by ${error}`)
  }
})

Deno.test("rows before the tokens count as inputs_embeds do in transformers", async () => {
  const { error } = await difference("llama", Task.causalLM(), rowsOf("llama"), ({ rows }) => rows.logits)
  assert(error < 1e-5, `logits are off by ${error}`)
})
