import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { decoded } from "../../../core/backend/slots/slots.ts"
import { load, type LoadOptions, type Model, readParameters, saveCheckpoint } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { Espalier } from "../../../mod.ts"
import { inBlocks } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { encodeTensors } from "../../../plugins/peft_format/mod.ts"
import { tensorsOf } from "../../core/model/stored.ts"
import { tokenizerOf } from "../../support/directory.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { inDirectory, logits } from "../files.ts"
import { type GgufOptions, type Whole, writeModel } from "./gguf_files.ts"

type Json = Readonly<Record<string, unknown>>

/** Logits of a row by the model at a path. */
const logitsOf = (path: string) => {
  const backend = memoryBackend()
  return run(
    Effect.map(load(path, { task: Task.causalLM() }), (model) => ({ model, logits: logits(model, backend) })),
    undefined,
    backend,
  )
}

/** Writes a fixture, with changes of its config, as a checkpoint and as `gguf/model.gguf` in it. */
const both = (
  name: string,
  options: GgufOptions,
  use: (checkpoint: string, gguf: string) => Promise<void>,
  change: Json = {},
) =>
  inDirectory(async (directory) => {
    const config = { ...JSON.parse(Deno.readTextFileSync(fixture(`${name}/config.json`))), ...change }
    const tensors = await tensorsOf(name)
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify(config))
    Deno.writeFileSync(`${directory}/model.safetensors`, encodeTensors(tensors))
    Deno.mkdirSync(`${directory}/gguf`)
    await writeModel(`${directory}/gguf/model.gguf`, config, tensors as Map<string, Whole>, options)
    await use(directory, `${directory}/gguf/model.gguf`)
  })

const unslid = { use_sliding_window: false, layer_types: null, sliding_window: null }
const cases: ReadonlyArray<readonly [name: string, architecture: string, change?: Json]> = [
  ["llama/llama", "llama"],
  ["llama/qwen3", "qwen3", unslid],
  ["llama/mistral_window", "llama", { hidden_act: "silu" }],
  ["directories/4/qwen2", "qwen2"],
  ["directories/4/llama-linear", "llama"],
  ["directories/4/llama-yarn", "llama"],
]
for (const [name, architecture, change] of cases) {
  const metadata = name.endsWith("window") ? { "llama.attention.sliding_window": 3 } : {}
  Deno.test(`${name}: a GGUF file gives the logits of the checkpoint that it was made of`, () =>
    both(name, { architecture, metadata }, async (checkpoint, gguf) => {
      const [want, got] = [await logitsOf(checkpoint), await logitsOf(gguf)]
      assert(distance(got.logits, want.logits) < 1e-6, `off by ${distance(got.logits, want.logits)}`)
      assertEquals(got.model.notes, [])
      assertEquals(got.model.tied, want.model.tied)
      // A directory with one such file means it.
      assertEquals((await logitsOf(gguf.replace("/model.gguf", ""))).logits, got.logits)
    }, change))
}

const WIDTH = 32, WIDE = 64, TOKENS = 40
const small = {
  model_type: "llama",
  vocab_size: TOKENS,
  hidden_size: WIDTH,
  intermediate_size: WIDE,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
}
const shapes: Readonly<Record<string, ReadonlyArray<number>>> = {
  "model.embed_tokens.weight": [TOKENS, WIDTH],
  "model.norm.weight": [WIDTH],
  "model.layers.0.input_layernorm.weight": [WIDTH],
  "model.layers.0.post_attention_layernorm.weight": [WIDTH],
  "model.layers.0.self_attn.q_proj.weight": [WIDTH, WIDTH],
  "model.layers.0.self_attn.k_proj.weight": [16, WIDTH],
  "model.layers.0.self_attn.v_proj.weight": [16, WIDTH],
  "model.layers.0.self_attn.o_proj.weight": [WIDTH, WIDTH],
  "model.layers.0.mlp.gate_proj.weight": [WIDE, WIDTH],
  "model.layers.0.mlp.up_proj.weight": [WIDE, WIDTH],
  "model.layers.0.mlp.down_proj.weight": [WIDTH, WIDE],
}
const smallTensors = new Map(
  Object.entries(shapes).map(([name, shape], at) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(1.3 * i + at))
    return [name, { shape, data }] as const
  }),
)

/** Writes the small model, and uses it on the CPU's backend. */
const onCpu = <A>(
  options: GgufOptions,
  load: Partial<LoadOptions>,
  use: (model: Model) => Effect.Effect<A, unknown>,
  methods: Layer.Layer<never, unknown, Layer.Success<typeof Espalier.layer>> = Layer.empty,
): Promise<A> =>
  inDirectory(async (directory) => {
    await writeModel(`${directory}/m.gguf`, small, smallTensors, options)
    const layers = Layer.mergeAll(Llama.layer, methods).pipe(
      Layer.provideMerge(Espalier.layerWith({ backend: "wasm" })),
    )
    return await loadModel(`${directory}/m.gguf`, load).pipe(
      Effect.flatMap(use),
      Effect.scoped,
      Effect.provide(layers),
      Effect.runPromise,
    )
  })
const loadModel = (path: string, options: Partial<LoadOptions>) => load(path, { task: Task.causalLM(), ...options })

const storages = ({ parameters }: Model) =>
  Object.fromEntries(
    parameters.filter(({ owner }) => owner === "base").map(({ key, slot: { storage } }) => [
      key.replace("model.layers.0.", ""),
      encodingOf(storage).name,
    ]),
  )

/** The numbers of a parameter as they are kept. */
const valuesOf = (model: Model, key: string) =>
  Effect.map(readParameters(model, model.parameters.filter((one) => one.key === key)), ([{ data }]) => data)

/** What Q4_1 makes of a tensor. */
const rounded = (name: string): Float32Array => {
  const { data } = smallTensors.get(name)!
  const bytes = new Uint8Array(data.length / Q4_1.block * Q4_1.blockBytes)
  Q4_1.encode!(data, bytes)
  return decoded(Q4_1, bytes, data.length)
}

Deno.test("frozen matrices stay in the file's blocks, with rows of queries and keys in their order; vectors are f32", () =>
  onCpu({ architecture: "llama", type: "Q4_1" }, { frozen: true }, (model) =>
    Effect.gen(function* () {
      for (const [key, name] of Object.entries(storages(model))) {
        assertEquals(name, key.endsWith("norm.weight") ? "f32" : "Q4_1", key)
      }
      for (const key of ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.down_proj"]) {
        const name = `model.layers.0.${key}.weight`
        assertEquals(yield* valuesOf(model, name), rounded(name), name)
      }
      assertEquals(model.parameters.filter(({ trainable }) => trainable), [])
    })))

Deno.test("what trains is f32, and so are all matrices where that is asked for", async () => {
  const name = "model.layers.0.self_attn.q_proj.weight"
  const same = (model: Model) =>
    Effect.gen(function* () {
      assertEquals(new Set(Object.values(storages(model))), new Set(["f32"]))
      assertEquals(yield* valuesOf(model, name), rounded(name))
    })
  await onCpu({ architecture: "llama", type: "Q4_1" }, {}, same)
  await onCpu({ architecture: "llama", type: "Q4_1" }, { frozen: true, weights: "f32" }, same)
  const lora = Lora.layer({ r: 2 })
  const kept = await onCpu(
    { architecture: "llama", type: "Q8_0" },
    {},
    (model) => Effect.succeed(storages(model)),
    lora,
  )
  assertEquals(kept["self_attn.q_proj.weight"], "Q8_0")
})

Deno.test("16-bit numbers of a file stay as they are", () =>
  onCpu({ architecture: "llama", type: "BF16" }, { frozen: true }, (model) =>
    Effect.sync(() => {
      assertEquals(storages(model)["mlp.up_proj.weight"], "bf16")
      assert(model.parameters.every(({ slot }) => !inBlocks(encodingOf(slot.storage))))
    })))

Deno.test("files that are no model of the family, or that say more than is known, are refused", async () => {
  const refused = (metadata: Json, architecture = "llama", tensors: ReadonlyMap<string, Whole> = smallTensors) =>
    inDirectory(async (directory) => {
      const path = `${directory}/m.gguf`
      await writeModel(path, small, tensors, { architecture, metadata })
      return (await failure(load(path, { task: Task.causalLM() }))).message.replaceAll(directory, "d")
    })
  const cases: ReadonlyArray<readonly [Json, string]> = [
    [{ "llama.expert_count": 8 }, "llama.expert_count must be 0 or left out"],
    [{ "llama.attention.value_length": 4 }, "llama.attention.value_length must be 8 or left out"],
    [{ "llama.rope.dimension_count": 4 }, "llama.rope.dimension_count must be 8 or left out"],
    [{ "llama.vocab_size": 41 }, "llama.vocab_size must be 40 or left out"],
    [{ "llama.logit_scale": 2 }, "llama.logit_scale: not known here, and may change what the model computes"],
    [{ "llama.block_count": undefined }, "llama.block_count must be a positive integer, but it is missing"],
    [{ "llama.block_count": 2 }, "missing (9): model.layers.1."],
    [{ "llama.rope.scaling.type": "longrope" }, 'llama.rope.scaling.type must be one of "none", "linear", "yarn"'],
    [{ "general.type": "adapter" }, 'it holds no model: its general.type is "adapter"'],
    [{ "split.count": 2 }, "it is one of 2 parts of a model"],
    [{ "tokenizer.ggml.tokens": ["a", "b"] }, "its tokenizer has 2 tokens, its embedding 40 rows"],
  ]
  for (const [metadata, text] of cases) assertStringIncludes(await refused(metadata), text)
  assertStringIncludes(
    await refused({}, "gemma"),
    'unknown general.architecture "gemma"; known: gemma3, gpt2, lfm2, llama, qwen2, qwen3',
  )
  const factors = { shape: [4], data: Float32Array.of(1, 2, 3, 4) }
  const odd = await refused({}, "llama", new Map([...smallTensors, ["rope_freqs.weight", factors]]))
  assertStringIncludes(odd, "holds factors of rotary frequencies that are not those of the scaling known here")
  const more = await refused({}, "llama", new Map([...smallTensors, ["blk.0.extra.weight", factors]]))
  assertStringIncludes(more, "unexpected (1): blk.0.extra.weight")
})

Deno.test("a directory with several GGUF files is an error that names them", () =>
  inDirectory(async (directory) => {
    for (const name of ["a", "b"]) {
      await writeModel(`${directory}/${name}.gguf`, small, smallTensors, { architecture: "llama" })
    }
    const { message } = await failure(load(directory, { task: Task.causalLM() }))
    assertStringIncludes(message, 'holds 2 GGUF files, "a.gguf", "b.gguf": give the path of one of them')
  }))

Deno.test("a checkpoint of a GGUF model has its numbers, its tokenizer and its end tokens, for transformers", () =>
  inDirectory(async (directory) => {
    const tokens = Array.from(
      { length: TOKENS },
      (_, id) => id === 0 ? "<s>" : id === 39 ? "ab" : String.fromCharCode(96 + id),
    )
    const metadata = {
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "smollm",
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": tokens.map((_, id) => id === 0 ? 3 : 1),
      "tokenizer.ggml.merges": ["a b"],
      "tokenizer.ggml.eos_token_id": 0,
      "tokenizer.chat_template": "{{ messages }}",
    }
    const [gguf, saved] = [`${directory}/m.gguf`, `${directory}/saved`]
    await writeModel(gguf, small, smallTensors, { architecture: "llama", type: "F16", metadata })
    const backend = memoryBackend()
    const written = await run(
      Effect.gen(function* () {
        const model = yield* load(gguf, { task: Task.causalLM() })
        yield* saveCheckpoint(model, saved)
        return logits(model, backend)
      }),
      undefined,
      backend,
    )
    assertEquals((await logitsOf(saved)).logits, written)
    const [theirs, ours] = [await tokenizerOf(saved), await tokenizerOf(gguf)]
    assertEquals([...theirs.encode("cab<s>")], [...ours.encode("cab<s>")])
    assertEquals(theirs.eosId, 0)
    const read = (name: string) => JSON.parse(Deno.readTextFileSync(`${saved}/${name}`))
    assertEquals(read("tokenizer_config.json").chat_template, "{{ messages }}")
    assertEquals(read("generation_config.json"), { eos_token_id: [0] })
    assertEquals(read("config.json").rms_norm_eps, 1e-5)
  }))
