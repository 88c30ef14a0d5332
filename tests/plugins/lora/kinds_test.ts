/**
 * Adapters as PEFT makes them (0.21.0, and 0.21.2 gives the same): `tests/fixtures/lora/make_kinds.py`.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import { load, loadAdapters, readParameters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { decodeAllTensors } from "../../support/adapter_tensors.ts"
import * as ops from "../../../core/tensor/ops.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, fixture, run } from "../../support/model_layer.ts"

const batch: BatchTensors = {
  tokens: ops.input("tokens", [2, 7], { dtype: "i32", batch: true }),
  lengths: ops.input("lengths", [2], { dtype: "i32", batch: true }),
  fields: { labels: ops.input("labels", [2, 7], { dtype: "i32", batch: true }) },
  exampleWeight: ops.input("exampleWeight", [2], { batch: true }),
  task: "default",
}
const [causal, masked] = [Task.causalLM(), Task.maskedLM()]
const classes = Task.classification(["LABEL_0", "LABEL_1", "LABEL_2"])
/** The base of each, and what is told of it. */
const kinds = [
  { name: "flags", base: "llama/llama", task: causal, notes: [] },
  {
    name: "layers",
    base: "llama/llama",
    task: causal,
    notes: ['layersPattern "h" matches no module'],
  },
  { name: "norms", base: "llama/mistral", task: causal, notes: ['"norm" takes all that end so', "input_layernorm"] },
  { name: "grown", base: "llama/llama", task: causal, notes: ["embeddings of 40 tokens"] },
  { name: "grown_target", base: "llama/llama", task: causal, notes: ["embeddings of 36 tokens"] },
  { name: "grown_saved", base: "llama/mistral", task: causal, notes: ["embeddings of 36 tokens"] },
  { name: "shrunk", base: "llama/mistral", task: causal, notes: ["embeddings of 24 tokens"] },
  { name: "tied_saved", base: "llama/llama", task: causal, notes: ["weights of their own"] },
  { name: "grown_masked", base: "bert/masked", task: masked, notes: ["embeddings of 35 tokens"] },
  { name: "bare_decoder", base: "llama/llama", task: causal, notes: ['"norm" takes all that end so'] },
  { name: "bare_encoder", base: "bert/backbone", task: masked, notes: ["cls.predictions"] },
  { name: "bare_grown", base: "bert/backbone", task: masked, notes: ["embeddings of 38 tokens"] },
  { name: "wrapped", base: "llama/mistral", task: causal, notes: [] },
  { name: "orthogonal", base: "llama/llama", task: causal, notes: [] },
  {
    name: "nothing",
    base: "llama/llama",
    task: causal,
    notes: ["loraAlpha is 0", 'alphaPattern "v_proj" counts for no module'],
  },
  { name: "idle_fields", base: "llama/llama", task: causal, notes: [] },
  { name: "no_task", base: "bert/classification", task: classes, notes: [] },
  { name: "adapted_head", base: "bert/classification", task: classes, notes: [] },
  { name: "saved_head", base: "bert/classification", task: classes, notes: [] },
]
const tensorsOf = (path: string) => {
  const file = `${path}/adapter_model.safetensors`
  return new Map([...decodeAllTensors(Deno.readFileSync(file), file)].map(([name, { shape, data }]) => {
    return [name, { shape: shape.join(), data }]
  }))
}

for (const { name, base, task, notes } of kinds) {
  Deno.test(`PEFT's adapter "${name}" gives PEFT's outputs, and again when it is saved`, async () => {
    const { tokens, lengths, mean, last } = JSON.parse(
      Deno.readTextFileSync(fixture(`lora/kinds/${name}/expected.json`)),
    )
    const directory = await Deno.makeTempDir()
    const attempt = (adapter: string, extra: (model: never) => Effect.Effect<void, unknown, never>) => {
      const backend = memoryBackend()
      return run(
        Effect.gen(function* () {
          const model = yield* load(fixture(base), { task })
          const data = { inputs: { tokens: tokens.flat(), lengths }, slots: backend.slots }
          const outputs = model.forward(batch, { training: false })
          const hidden = evaluate(outputs.hidden, data)
          const pooled = (lengths as number[]).flatMap((length, row) =>
            Array.from({ length: 16 }, (_, i) => {
              const own = Array.from({ length }, (_, t) => hidden[(row * 7 + t) * 16 + i])
              return own.reduce((a, b) => a + b) / length
            })
          )
          assert(distance(pooled, mean) < 1e-5, `hidden states are off by ${distance(pooled, mean)}`)
          if (last !== undefined) {
            const logits = evaluate(outputs.logits, data)
            const vocabulary = last.length / 2
            const rows = task === classes ? [0, 1] : [6, 7 + 3]
            const own = rows.flatMap((at) => [...logits.slice(at * vocabulary, (at + 1) * vocabulary)])
            assert(distance(own, last) < 1e-5, `logits are off by ${distance(own, last)}`)
          }
          yield* extra(model as never) as Effect.Effect<void, never, never>
        }),
        Lora.fromPeft(adapter) as never,
        backend,
      )
    }
    try {
      await attempt(fixture(`lora/kinds/${name}`), (model) =>
        Effect.gen(function* () {
          const { notes: told } = model as { notes: ReadonlyArray<string> }
          for (const note of notes) assertStringIncludes(told.join("\n"), note)
          if (notes.length === 0) assertEquals(told, [])
          const before = yield* readParameters(model)
          yield* saveAdapters(model, `${directory}/again`)
          yield* loadAdapters(model, `${directory}/again`)
          yield* loadAdapters(model, fixture(`lora/kinds/${name}`))
          assertEquals((yield* readParameters(model)).map(({ data }) => data), before.map(({ data }) => data))
        }) as never)
      await attempt(`${directory}/again`, () => Effect.void)
      const ours = tensorsOf(`${directory}/again`)
      // What PEFT saves twice lies once here; beside a head that is new, names are the whole model's.
      const prefix = /bare_encoder|bare_grown/.test(name) ? "base_model.model.bert." : "base_model.model."
      const wanted = [...tensorsOf(fixture(`lora/kinds/${name}`))].filter(([key]) =>
        name !== "wrapped" && !/\.(modules_to_save|original_module)\./.test(key)
      )
      for (const [key, tensor] of wanted) {
        const own = key.replace("base_model.model.", prefix)
        if (!/lm_head|decoder/.test(key) || ours.has(own)) assertEquals(ours.get(own), tensor, key)
      }
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  })
}
