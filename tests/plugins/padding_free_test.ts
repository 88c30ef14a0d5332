/**
 * A packed row beside padded rows: the same loss, weight and gradients for families, tasks and methods.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Backend, BackendService, Slot } from "../../core/backend/backend.ts"
import { layer as wasm } from "../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../core/backend/webgpu/backend.ts"
import type { MicroBatch } from "../../core/contracts/batch_source.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { layer as pluginsLayer } from "../../core/contracts/plugins.ts"
import { type Batch, collate } from "../../core/data/batches/batches.ts"
import { type Example, MASKED } from "../../core/data/encode.ts"
import { packRow } from "../../core/data/batches/packed_row.ts"
import { layer as familiesLayer } from "../../core/model/load/families.ts"
import { initialize, type Model } from "../../core/model/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import { adamW } from "../../core/training/optimizers/adamw.ts"
import { ready } from "../../core/backend/ready.ts"
import { batchData, batchInputs, packedInputs } from "../../core/data/batches/batch_inputs.ts"
import { accumulateGraph, type StepSettings } from "../../core/training/step/step_graphs.ts"
import { families } from "../../plugins/families/mod.ts"
import * as Adapters from "../../plugins/adapters/mod.ts"
import * as Bert from "../../plugins/bert/mod.ts"
import * as Lora from "../../plugins/lora/mod.ts"
import * as ModernBert from "../../plugins/modernbert/mod.ts"
import { onWebgpu } from "../core/backend/webgpu/with_webgpu.ts"
import { memoryBackend, memoryLayer } from "../support/memory_backend.ts"
import type { Base } from "../support/model_layer.ts"

const sizes = { vocab_size: 17, max_position_embeddings: 16, initializer_range: 0.3 }
const bert = {
  ...sizes,
  model_type: "bert",
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
}
/** Positions begin after a row for padding, and a classifier has two Linear modules. */
const roberta = { ...bert, model_type: "roberta", type_vocab_size: 1, max_position_embeddings: 18 }
const distilBert = {
  ...sizes,
  model_type: "distilbert",
  dim: 16,
  hidden_dim: 20,
  n_layers: 2,
  n_heads: 2,
  dropout: 0,
  attention_dropout: 0,
  seq_classif_dropout: 0,
}
const llama = {
  ...sizes,
  model_type: "llama",
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
}
/** Windows that are shorter than most examples. */
const mistral = { ...llama, model_type: "mistral", sliding_window: 3 }
const qwen3 = {
  ...llama,
  model_type: "qwen3",
  head_dim: 6,
  use_sliding_window: true,
  sliding_window: 2,
  max_window_layers: 1,
}
const modernBert = {
  ...sizes,
  model_type: "modernbert",
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  local_attention: 4,
  global_attn_every_n_layers: 2,
}
const gpt2 = {
  vocab_size: 17,
  initializer_range: 0.3,
  model_type: "gpt2",
  n_positions: 16,
  n_embd: 16,
  n_inner: 20,
  n_layer: 2,
  n_head: 2,
  embd_pdrop: 0,
  attn_pdrop: 0,
  resid_pdrop: 0,
}
/** Convolutions that see more tokens than the shortest examples have. */
const lfm2 = {
  ...sizes,
  model_type: "lfm2",
  hidden_size: 16,
  intermediate_size: 24,
  block_multiple_of: 4,
  num_hidden_layers: 2,
  layer_types: ["conv", "full_attention"],
  conv_L_cache: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
}
const classes = ["a", "b", "c"]
const models = [
  { name: "Llama, causal language model", config: llama, task: Task.causalLM() },
  { name: "Llama, classification", config: llama, task: Task.classification(classes) },
  { name: "BERT, classification", config: bert, task: Task.classification(classes) },
  { name: "BERT, token classification", config: bert, task: Task.tokenClassification(classes) },
  { name: "BERT, masked language model", config: bert, task: Task.maskedLM() },
  { name: "DistilBERT, classification", config: distilBert, task: Task.classification(classes) },
  { name: "DistilBERT, masked language model", config: distilBert, task: Task.maskedLM() },
  { name: "Mistral with a window, causal language model", config: mistral, task: Task.causalLM() },
  { name: "Qwen3 with windows, classification", config: qwen3, task: Task.classification(classes) },
  { name: "GPT-2, causal language model", config: gpt2, task: Task.causalLM() },
  { name: "GPT-2, classification", config: gpt2, task: Task.classification(classes) },
  { name: "LFM2, causal language model", config: lfm2, task: Task.causalLM() },
  { name: "ModernBERT with windows, classification", config: modernBert, task: Task.classification(classes) },
  {
    name: "ModernBERT with windows, classification of means",
    config: { ...modernBert, classifier_pooling: "mean" },
    task: Task.classification(classes),
  },
  { name: "RoBERTa, classification", config: roberta, task: Task.classification(classes) },
  { name: "RoBERTa, masked language model", config: roberta, task: Task.maskedLM() },
  { name: "ModernBERT with windows, masked language model", config: modernBert, task: Task.maskedLM() },
]
const none = Layer.empty as unknown as Layer.Layer<never, PluginError, Base>
const methods: Readonly<Record<string, Layer.Layer<never, PluginError, Base>>> = {
  "all parameters": none,
  "LoRA": Lora.layer({ r: 2, initLoraWeights: false, targetModules: "all-linear" }) as unknown as typeof none,
  "adapters": Adapters.compose(
    Adapters.fuse([{ name: "x", config: "seq_bn", reductionFactor: 4 }, {
      name: "y",
      config: "seq_bn",
      reductionFactor: 4,
    }]),
  ) as unknown as typeof none,
}

/** Examples of one to nine tokens. Of a language model the first ones are a prompt. */
const examplesOf = (task: Task): ReadonlyArray<Example> =>
  [5, 2, 9, 1, 7].map((length, row) => {
    const tokens = Int32Array.from({ length }, (_, i) => (row * 5 + i * i * 3 + i + 2) % sizes.vocab_size)
    const example = (labels: Iterable<number>) => ({ tokens, fields: { labels: [...labels] }, index: row, row })
    if (task.kind === "classification") return example([row % 3])
    if (task.kind === "causal-lm") return example(tokens.map((_, i) => i < 1 ? MASKED : tokens[i + 1] ?? MASKED))
    const target = (token: number) => task.kind === "masked-lm" ? (token + 1) % sizes.vocab_size : token % 3
    return example(tokens.map((token, i) => i % 3 === 2 ? MASKED : target(token)))
  })
/** With one that only fills the batch. */
const microBatch: MicroBatch = { task: "default", rows: Int32Array.of(2, 0, -1, 4, 3, 1), length: 12 }

/** Loss, weight and gradients of a batch, each as one list. */
async function sumsOf(
  model: Model,
  batch: Batch,
  read: (backend: BackendService, slot: Slot) => Promise<ArrayLike<number>>,
): Promise<ReadonlyArray<readonly [key: string, ArrayLike<number>]>> {
  const { backend, task } = model
  const trained = model.parameters.filter(({ trainable }) => trainable)
  const byKey = new Map(model.parameters.map(({ key, tensor }) => [key, tensor]))
  const settings: StepSettings = {
    forward: model.forward,
    parameter: (key) => byKey.get(key)!,
    trained,
    specOf: () => task,
    objective: task.objective,
    contributions: model.contributions,
    optimizer: adamW(),
    weightDecay: 0,
    maxGradNorm: 0,
  }
  const slots = new Map(trained.map(({ key, shape }) => [key, backend.allocate(key, shape)]))
  const [loss, weight] = [backend.allocate("loss", []), backend.allocate("weight", [])]
  const [rows, length] = batch.shape
  const inputs = batch.packed === undefined
    ? batchInputs("default", rows, length, task)
    : packedInputs("default", batch.rows.length, length, batch.packed.longest, task)
  const state = { optimizer: new Map(), transforms: new Map() }
  const sums = { gradients: slots, loss, weight, measures: new Map() }
  const program = await ready(backend, accumulateGraph(settings, state, inputs, sums))
  await program.run({ ...batchData(batch), dropout0: Int32Array.of(1), dropout1: Int32Array.of(2) })
  program.dispose()
  const found: Array<readonly [string, ArrayLike<number>]> = []
  for (const [key, slot] of [["loss", loss], ["weight", weight], ...slots] as const) {
    found.push([key, await read(backend, slot)])
    backend.free(slot)
  }
  return found
}

/** The largest difference beside the largest number. */
const off = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const most = Math.max(...Array.from(b, Math.abs))
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]))) / (most === 0 ? 1 : most)
}

/** Compares the layouts on a backend. */
const compare = (
  { config, task }: typeof models[number],
  method: typeof none,
  backend: Layer.Layer<Backend, unknown>,
  tolerance: number,
  read: (backend: BackendService, slot: Slot) => Promise<ArrayLike<number>>,
) => {
  const base = Layer.mergeAll(backend, pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const services = Layer.mergeAll(method, families, ModernBert.layer).pipe(Layer.provideMerge(base))
  const program = Effect.gen(function* () {
    const model = yield* initialize(config, { task, seed: 3 })
    const examples = examplesOf(task)
    const packed = packRow(examples, microBatch, 9, task)
    const of = (batch: Batch) => Effect.promise(() => sumsOf(model, batch, read))
    const expected = yield* of(collate(examples, microBatch, task))
    const found = yield* of(packed)
    assert(expected[0][1][0] > 0.1 && expected[1][1][0] > 1)
    const trained = Array.from(packed.fields.labels).filter((label) => label !== MASKED)
    assertEquals(trained.length, expected[1][1][0])
    found.forEach(([key, values], i) => {
      const error = off(values, expected[i][1])
      assert(error < tolerance, `${key} is off by ${error}`)
    })
    // All see each other.
    const mixed = yield* of({ ...packed, packed: { ...packed.packed!, segments: new Int32Array(32) } })
    assert(mixed.some(([, values], i) => off(values, expected[i][1]) > 1e-3), "who sees whom plays no part")
    // No position starts anew.
    const shifted = yield* of({ ...packed, packed: { ...packed.packed!, longest: 16, positions: counted } })
    assert(shifted.some(([, values], i) => off(values, expected[i][1]) > 1e-3), "positions play no part")
  })
  return Effect.runPromise(
    Effect.scoped(program).pipe(Effect.provide(services, { local: true })) as Effect.Effect<void>,
  )
}
const counted = Int32Array.from({ length: 32 }, (_, i) => i % 16)

for (const model of models) {
  for (const [name, method] of Object.entries(methods)) {
    Deno.test(`${model.name}, ${name}: a packed row gives what padded rows give`, async () => {
      const memory = memoryBackend()
      await compare(model, method, memoryLayer(memory), 1e-10, (_, { id }) => Promise.resolve(memory.slots.get(id)!))
    })
  }
}

Deno.test("wasm: a packed row of 8,192 tokens gives what padded rows give", async () => {
  const task = Task.tokenClassification(classes)
  const config = { ...bert, max_position_embeddings: 512, num_hidden_layers: 1 }
  const lengths = Array.from({ length: 26 }, (_, i) => i === 25 ? 270 : i % 4 === 0 ? 512 : 130 + i * 37 % 240)
  const examples = lengths.map((length, row): Example => ({
    tokens: Int32Array.from({ length }, (_, i) => (row * 5 + i * i * 3 + i) % sizes.vocab_size),
    fields: { labels: Array.from({ length }, (_, i) => (i * i + row) % 3) },
    index: row,
    row,
  }))
  const rows = { task: "default", rows: Int32Array.from(lengths.keys()), length: 512 }
  const base = Layer.mergeAll(wasm({ threads: 2 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const services = Layer.mergeAll(methods.LoRA, Bert.layer).pipe(Layer.provideMerge(base))
  const lossesOf = (dropout: number) =>
    Effect.gen(function* () {
      const model = yield* initialize({ ...config, attention_probs_dropout_prob: dropout }, { task, seed: 3 })
      const packed = packRow(examples, rows, 512, task)
      assertEquals(packed.shape, [1, 8192])
      const of = (batch: Batch) => Effect.promise(() => sumsOf(model, batch, (backend, slot) => backend.read(slot)))
      return [yield* of(packed), yield* of(collate(examples, rows, task))]
    }).pipe(
      Effect.provide(services, { local: true }),
      Effect.scoped,
      Effect.runPromise,
    )
  const [packed, padded] = await lossesOf(0)
  packed.forEach(([key, values], i) => assert(off(values, padded[i][1]) < 2e-5, `${key}: ${off(values, padded[i][1])}`))
  // Other weights are dropped: the mean over 8,192 tokens is nearly the same, the sums are not.
  const [dropped, others] = await lossesOf(0.1)
  const apart = off(dropped[0][1], others[0][1])
  assert(apart > 0 && apart < 1e-2, `${apart}`)
})

for (
  const { name, layer, test, cases } of [
    { name: "wasm", layer: wasm({ threads: 2 }), test: Deno.test, cases: models },
    // A causal model and an encoder: what they need of a backend is what all need.
    { name: "webgpu", layer: webgpu(), test: onWebgpu, cases: [models[0], models[2]] },
  ]
) {
  test(`${name}: a packed row gives what padded rows give`, async () => {
    for (const model of cases) {
      await compare(model, methods.LoRA, layer, 1e-5, (backend, slot) => backend.read(slot))
    }
  })
}
