import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import {
  load,
  loadAdapters,
  merge,
  type Model,
  readParameters,
  saveAdapters,
  saveCheckpoint,
  saveMerged,
} from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { parseHeader } from "../../../core/formats/safetensors/safetensors.ts"
import * as ops from "../../../core/tensor/ops.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { pair, random, writeAdapter } from "./adapters.ts"

const batch: BatchTensors = {
  tokens: ops.input("tokens", [2, 7], { dtype: "i32", batch: true }),
  lengths: ops.input("lengths", [2], { dtype: "i32", batch: true }),
  fields: { labels: ops.input("labels", [2], { dtype: "i32", batch: true }) },
  exampleWeight: ops.input("exampleWeight", [2], { batch: true }),
  task: "default",
}
const cases = [
  { name: "causal", model: "llama", task: Task.causalLM() },
  { name: "classification", model: "qwen2", task: Task.classification(["a", "b", "c"]) },
]
const json = (path: string) => JSON.parse(Deno.readTextFileSync(path))

/** Logits of rows that are not padding. */
function real(logits: ArrayLike<number>, lengths: ReadonlyArray<number>): ArrayLike<number> {
  if (logits.length < 100) return logits
  return Array.from(logits).filter((_, i) => Math.floor(i / 32) % 7 < lengths[Math.floor(i / 224)])
}

function tensorsOf(path: string): Map<string, { shape: string; data: Uint8Array }> {
  const bytes = Deno.readFileSync(path)
  const { tensors, metadata } = parseHeader(bytes, bytes.length, path)
  assertEquals([...metadata], [["format", "pt"]])
  return new Map([...tensors].map(([name, { shape, dtype, byteOffset, byteLength }]) => {
    return [name, { shape: `${dtype}[${shape}]`, data: bytes.slice(byteOffset, byteOffset + byteLength) }]
  }))
}

for (const { name, model: base, task } of cases) {
  Deno.test(`PEFT's ${name} adapter gives PEFT's logits, and saves as the same tensors`, async () => {
    const backend = memoryBackend()
    const { tokens, lengths, logits: original } = json(fixture(`llama/${base}/expected.json`))
    const { logits: expected } = json(fixture(`lora/${name}/expected.json`))
    const directory = await Deno.makeTempDir()
    try {
      await run(
        Effect.gen(function* () {
          const model = yield* load(fixture(`llama/${base}`), { task })
          const data = { inputs: { tokens: tokens.flat(), lengths }, slots: backend.slots }
          const logits = (methods: boolean) => evaluate(model.forward(batch, { training: false, methods }).logits, data)
          const error = distance(real(logits(true), lengths), real(expected, lengths))
          assert(error < 1e-5, `logits are off by ${error}`)
          const off = distance(real(logits(false), lengths), real(original, lengths))
          assert(off < 1e-5, `with methods off, logits are off by ${off}`)
          assert(distance(logits(true), logits(false)) > 1e-2)
          yield* saveAdapters(model, `${directory}/adapter`)
          const trained = yield* readParameters(model)
          for (const { slot, trainable } of model.parameters) {
            if (trainable) {
              yield* Effect.promise(() => backend.write(slot, new Float32Array(slot.shape.reduce((a, b) => a * b, 1))))
            }
          }
          assert(distance(logits(true), expected) > 1e-3)
          yield* loadAdapters(model, `${directory}/adapter`)
          const again = yield* readParameters(model)
          assertEquals(again.map(({ data }) => data), trained.map(({ data }) => data))
        }),
        Lora.fromPeft(fixture(`lora/${name}`)) as never,
        backend,
      )
      const theirs = tensorsOf(fixture(`lora/${name}/adapter_model.safetensors`))
      theirs.delete("base_model.model.model.embed_tokens.base_layer.weight")
      const ours = tensorsOf(`${directory}/adapter/adapter_model.safetensors`)
      assertEquals([...ours.keys()].sort(), [...theirs.keys()].sort())
      for (const [key, tensor] of theirs) assertEquals(ours.get(key), tensor, key)
      const [theirConfig, ourConfig] = [fixture(`lora/${name}`), `${directory}/adapter`].map((path) =>
        json(`${path}/adapter_config.json`)
      )
      for (const field of ["r", "lora_alpha", "lora_dropout", "bias", "use_rslora", "rank_pattern", "alpha_pattern"]) {
        assertEquals(ourConfig[field], theirConfig[field], field)
      }
      assertEquals(ourConfig.target_modules, theirConfig.target_modules.toSorted())
      assertEquals(ourConfig.modules_to_save, theirConfig.modules_to_save?.toSorted() ?? null)
      assertEquals(ourConfig.task_type, theirConfig.task_type)
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  })
}

Deno.test("merging gives the same logits without the adapter's path, and comes undone", async () => {
  const backend = memoryBackend()
  const { tokens, lengths } = json(fixture("llama/qwen2/expected.json"))
  const directory = await Deno.makeTempDir()
  try {
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture("llama/qwen2"), { task: Task.classification(["a", "b", "c"]) })
        const data = { inputs: { tokens: tokens.flat(), lengths }, slots: backend.slots }
        const graph = (own: Model) => own.forward(batch, { training: false }).logits
        const before = evaluate(graph(model), data)
        const slots = new Map([...backend.slots].map(([id, values]) => [id, values.slice()]))
        assertStringIncludes((yield* Effect.flip(saveCheckpoint(model, `${directory}/x`))).message, "merge it first")
        yield* saveMerged(model, `${directory}/merged`)
        for (const [id, values] of slots) assertEquals(distance(values, backend.slots.get(id)!), 0)
        const other = yield* merge(model)
        assertEquals((yield* Effect.flip(merge(other, ["lora"])))._tag, "ModelError")
        const merged = evaluate(graph(other), data)
        assert(distance(before, merged) < 1e-6 && distance(before, merged) >= 0)
        assertEquals(distance(before, evaluate(graph(model), data)), 0)
        const weight = model.parameters.find(({ name }) => name === "lora_B")!
        yield* Effect.promise(() => backend.write(weight.slot, new Float32Array([Infinity])))
        assertStringIncludes((yield* Effect.flip(merge(model))).message, "not be finite")
      }),
      Lora.fromPeft(fixture("lora/classification")) as never,
      backend,
    )
    const other = memoryBackend()
    const { logits: expected } = json(fixture("lora/classification/expected.json"))
    await run(
      Effect.gen(function* () {
        const model = yield* load(`${directory}/merged`, { task: Task.classification(["a", "b", "c"]) })
        const data = { inputs: { tokens: tokens.flat(), lengths }, slots: other.slots }
        const error = distance(evaluate(model.forward(batch, { training: false }).logits, data), expected)
        assert(error < 1e-5, `logits of the merged checkpoint are off by ${error}`)
      }),
      undefined,
      other,
    )
    const config = json(`${directory}/merged/config.json`)
    assertEquals(config.architectures, ["Qwen2ForSequenceClassification"])
    assertEquals(config.label2id, { a: 0, b: 1, c: 2 })
    assertEquals(config.torch_dtype, "float32")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("an adapter of other options, or with other tensors, is refused before anything is written", async () => {
  const task = Task.causalLM()
  const attempt = (options: Lora.LoraOptions, files = fixture("lora/causal")) => {
    const backend = memoryBackend()
    const effect = Effect.gen(function* () {
      const model = yield* load(fixture("llama/llama"), { task })
      const before = yield* readParameters(model)
      const error = yield* Effect.flip(loadAdapters(model, files))
      assertEquals((yield* readParameters(model)).map(({ data }) => data), before.map(({ data }) => data))
      return error
    })
    return run(effect, Lora.layer(options) as never, backend) as Promise<{ message: string }>
  }
  const fitting: Lora.LoraOptions = {
    r: 3,
    loraAlpha: 6,
    useRslora: true,
    bias: "lora_only",
    targetModules: ["q_proj", "o_proj", "down_proj", "embed_tokens"],
    excludeModules: ["layers.1.self_attn.o_proj"],
    rankPattern: { down_proj: 2 },
    alphaPattern: { "layers\\.0\\.self_attn\\.q_proj": 5 },
  }
  assertStringIncludes((await attempt({ ...fitting, loraAlpha: 7 })).message, "loraAlpha is 6")
  const { excludeModules: _, ...more } = fitting
  assertStringIncludes(
    (await attempt(more)).message,
    "missing: base_model.model.model.layers.1.self_attn.o_proj.lora_A",
  )
  assertStringIncludes(
    (await attempt({ ...fitting, targetModules: ["q_proj"] })).message,
    "unexpected: base_model.model.model.layers.0.mlp.down_proj",
  )
})

Deno.test("two adapters of different names live in one model and in one directory", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const both = Effect.gen(function* () {
      const model = yield* load(fixture("llama/llama"), { task: Task.causalLM() })
      assertEquals(model.contributions.map(({ id }) => id), ["lora/a", "lora/default"])
      yield* saveAdapters(model, `${directory}/both`)
      yield* loadAdapters(model, `${directory}/both`)
    })
    const { mergeAll } = await import("effect/Layer")
    await run(both, mergeAll(Lora.layer(), Lora.layer({ name: "a", targetModules: "all-linear" })) as never)
    assertEquals([...Deno.readDirSync(`${directory}/both`)].map(({ name }) => name).sort(), [
      "a",
      "adapter_config.json",
      "adapter_model.safetensors",
    ])
    const error = await failure(both, mergeAll(Lora.layer(), Lora.layer({ r: 4 })) as never)
    assertStringIncludes(error.message, 'Two plugins have the id "lora/default"')
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a head that an adapter brings is not told as new; what neither holds is", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const head = { "classifier.weight": random([2, 16], 1), "classifier.bias": random([2], 2) }
    const query = pair("bert.encoder.layer.0.attention.self.query", 16, 2, 16, 3)
    const config = { task_type: "SEQ_CLS", r: 2, target_modules: ["0.attention.self.query"] }
    await writeAdapter(`${directory}/a`, config, { ...query, ...head })
    const notesOf = (model: string) =>
      run(
        Effect.map(load(fixture(model), { task: Task.classification(["a", "b"]) }), ({ notes }) => notes),
        Lora.fromPeft(`${directory}/a`) as never,
      )
    assertEquals(await notesOf("bert/backbone"), [])
    assertEquals(await notesOf("bert/masked"), [
      "not in the files, so new and trained: bert.pooler.dense.weight, bert.pooler.dense.bias",
    ])
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
