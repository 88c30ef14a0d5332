/**
 * `fixed_runs.ts [checkout]`: twelve short training runs of another checkout (default: this one) on its wasm backend: families,
 * tasks, methods, packed and padded rows, a resumed run. Prints a name and the SHA-256 of the saved tensors for each, so that
 * two checkouts can be compared bit for bit. Run with the checkout's own `--config`.
 * @module
 */
const checkout = (Deno.args[0] ?? decodeURIComponent(new URL("../", import.meta.url).pathname)).replace(/\/?$/, "/")
const load = (path: string) => import(`file://${checkout}${path}`)

const Effect: typeof import("effect/Effect") = await import("effect/Effect")
const Layer: typeof import("effect/Layer") = await import("effect/Layer")
const { Dataset, Espalier, Model, Task, Tokenizer, Trainer }: typeof import("../mod.ts") = await load("mod.ts")
const Adapters: typeof import("../plugins/adapters/mod.ts") = await load("plugins/adapters/mod.ts")
const Bert: typeof import("../plugins/bert/mod.ts") = await load("plugins/bert/mod.ts")
const Llama: typeof import("../plugins/llama/mod.ts") = await load("plugins/llama/mod.ts")
const Lora: typeof import("../plugins/lora/mod.ts") = await load("plugins/lora/mod.ts")
const PrefixTuning: typeof import("../plugins/prefix_tuning/mod.ts") = await load("plugins/prefix_tuning/mod.ts")
const PromptTuning: typeof import("../plugins/prompt_tuning/mod.ts") = await load("plugins/prompt_tuning/mod.ts")

const words = ["sun moon star sky cloud rain wind snow", "bread milk cheese apple salt rice soup tea"]
  .map((list) => list.split(" "))
const specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
const vocabulary = [...specials, ...words.flat()]
const made = Tokenizer.makeTokenizer(
  {
    version: "1.0",
    added_tokens: specials.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "[CLS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }, {
        SpecialToken: { id: "[SEP]", type_id: 0 },
      }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: {
        "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
        "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
      },
    },
    decoder: null,
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
      unk_token: "[UNK]",
    },
  },
  {
    pad_token: "[PAD]",
    unk_token: "[UNK]",
    cls_token: "[CLS]",
    sep_token: "[SEP]",
    mask_token: "[MASK]",
    eos_token: "[SEP]",
  },
)
// Older checkouts make it at once.
const tokenizer = Effect.isEffect(made) ? await Effect.runPromise(made) : made

const sentence = (i: number): ReadonlyArray<string> =>
  Array.from({ length: 3 + i * 7 % 9 }, (_, j) => words[i % 2][(i * 5 + j * (1 + i % 3)) % 8])
const rows = Array.from({ length: 40 }, (_, i) => sentence(i))
const labeled = Dataset.fromRows(
  rows.map((list, i) => ({ text: list.join(" "), label: i % 2 === 0 ? "sky" : "food" })),
  { text: "text", label: "label" },
)
const plain = Dataset.fromRows(rows.map((list) => ({ text: list.join(" ") })), { text: "text" })
const pairs = Dataset.fromRows(
  rows.map((list) => ({ prompt: list.slice(0, 2).join(" "), completion: ` ${list.slice(2).join(" ")}` })),
  { prompt: "prompt", completion: "completion" },
)
const tagged = Dataset.fromRows(
  rows.map((list) => ({ tokens: [...list], tags: list.map((word) => word < "r" ? "A" : "B") })),
  { words: "tokens", tags: "tags" },
)

const decoder = (modelType: "llama" | "mistral" | "qwen2", more = {}) => ({
  model_type: modelType,
  vocab_size: vocabulary.length,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  initializer_range: 0.2,
  tie_word_embeddings: modelType === "llama",
  ...(modelType === "mistral" ? { sliding_window: null } : {}),
  ...more,
})
const bert = {
  model_type: "bert",
  vocab_size: vocabulary.length,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 64,
  initializer_range: 0.2,
}
const distilbert = {
  model_type: "distilbert",
  vocab_size: vocabulary.length,
  dim: 32,
  hidden_dim: 48,
  n_layers: 2,
  n_heads: 4,
  max_position_embeddings: 64,
  initializer_range: 0.2,
}
const classification = Task.classification(labeled.labels)
const none = Layer.empty as unknown as ReturnType<typeof Llama.layer.pipe>

type Options = NonNullable<Parameters<typeof Trainer.fit>[2]>
/** A run: `resumed` stops half way and goes on from its checkpoint. */
interface Run {
  readonly name: string
  readonly config: Readonly<Record<string, unknown>>
  // deno-lint-ignore no-explicit-any
  readonly task: any
  // deno-lint-ignore no-explicit-any
  readonly data: any
  // deno-lint-ignore no-explicit-any
  readonly method: any
  readonly options?: Options
  readonly resumed?: boolean
}
const runs: ReadonlyArray<Run> = [
  {
    name: "llama, classification, LoRA, padded",
    config: decoder("llama"),
    task: classification,
    data: labeled,
    method: Lora.layer({ r: 4, targetModules: "all-linear", loraDropout: 0.1 }),
    options: { paddingFree: false },
  },
  {
    name: "llama, causal-lm, LoRA, packed rows",
    config: decoder("llama"),
    task: Task.causalLM(),
    data: plain,
    method: Lora.layer({ r: 4 }),
    options: { paddingFree: true },
  },
  {
    name: "llama, causal-lm, all weights, joined texts",
    config: decoder("llama"),
    task: Task.causalLM(),
    data: plain,
    method: none,
    options: { packing: true, maxLength: 16 },
  },
  {
    name: "llama, completions, DoRA, resumed",
    config: decoder("llama"),
    task: Task.causalLM(),
    data: pairs,
    method: Lora.layer({ r: 4, useDora: true }),
    resumed: true,
  },
  {
    name: "qwen2, classification, prefix tuning",
    config: decoder("qwen2"),
    task: classification,
    data: labeled,
    method: PrefixTuning.layer({ numVirtualTokens: 4 }),
  },
  {
    name: "mistral, causal-lm, prompt tuning, accumulated",
    config: decoder("mistral"),
    task: Task.causalLM(),
    data: plain,
    method: PromptTuning.layer({ numVirtualTokens: 4 }),
    options: { gradientAccumulationSteps: 2, batchSize: 4 },
  },
  {
    name: "bert, token classification, rsLoRA",
    config: bert,
    task: Task.tokenClassification(tagged.labels),
    data: tagged,
    method: Lora.layer({ r: 4, useRslora: true, targetModules: "all-linear" }),
  },
  { name: "bert, classification, all weights", config: bert, task: classification, data: labeled, method: none },
  {
    name: "bert, masked-lm, LoRA, resumed",
    config: bert,
    task: Task.maskedLM(),
    data: plain,
    method: Lora.layer({ r: 4, targetModules: ["query", "value"] }),
    resumed: true,
  },
  {
    name: "bert, token classification, adapters",
    config: bert,
    task: Task.tokenClassification(tagged.labels),
    data: tagged,
    method: Adapters.layer({ config: "seq_bn" }),
  },
  {
    name: "distilbert, classification, parallel adapters, packed rows",
    config: distilbert,
    task: classification,
    data: labeled,
    method: Adapters.layer({ config: "par_bn" }),
    options: { paddingFree: true },
  },
  {
    name: "qwen2, causal-lm, LoRA, checkpointed activations",
    config: decoder("qwen2"),
    task: Task.causalLM(),
    data: plain,
    method: Lora.layer({ r: 4, targetModules: "all-linear" }),
    options: { gradientCheckpointing: true, optimizer: "sgd", learningRate: 0.1 },
  },
]

const hex = (bytes: ArrayBuffer) => new Uint8Array(bytes).toHex()
/** Safetensors files of a folder and those in it, by path from it. */
const tensorFiles = (folder: string): ReadonlyArray<string> =>
  [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? tensorFiles(`${folder}/${name}`).map((path) => `${name}/${path}`)
      : name.endsWith(".safetensors")
      ? [name]
      : []
  )
/** SHA-256 over the names and bytes of all tensors in a folder. */
const hashOf = async (folder: string): Promise<string> => {
  const parts: Array<readonly [string, Uint8Array]> = []
  for (const path of tensorFiles(folder)) {
    const bytes = await Deno.readFile(`${folder}/${path}`)
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))
    for (const [key, value] of Object.entries<{ data_offsets: [number, number] }>(header)) {
      if (key === "__metadata__") continue
      const [start, end] = value.data_offsets
      parts.push([`${path} ${key}`, bytes.subarray(8 + length + start, 8 + length + end)])
    }
  }
  parts.sort(([a], [b]) => a < b ? -1 : 1)
  const hashes = await Promise.all(
    parts.map(async ([key, bytes]) => `${key} ${hex(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)))}\n`),
  )
  if (hashes.length === 0) throw new Error(`no tensor in ${folder}`)
  return hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(hashes.join(""))))
}

const perform = ({ config, task, data, method, options = {}, resumed = false }: Run): Promise<string> => {
  const folder = Deno.makeTempDirSync()
  const all: Options = {
    maxSteps: 12,
    batchSize: 8,
    learningRate: 0.01,
    maxLength: 16,
    seed: 5,
    tokenizer,
    ...(resumed ? { runFolder: `${folder}/run` } : {}),
    ...options,
  }
  const train = (more: Options) =>
    Effect.gen(function* () {
      const model = yield* Model.initialize(config, { task, seed: 3 })
      const run = yield* Trainer.fit(model, { train: data }, { ...all, ...more })
      yield* run.save(`${folder}/saved`)
    })
  const platform = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  const layers = Layer.mergeAll(method, Llama.layer, Bert.layer).pipe(Layer.provideMerge(platform))
  // deno-lint-ignore no-explicit-any
  const once = (more: Options) => Effect.runPromise(Effect.scoped(train(more)).pipe(Effect.provide(layers)) as any)
  return (async () => {
    try {
      if (resumed) {
        const stop = (event: { readonly type: string; readonly step?: number }) =>
          event.type === "step" && event.step === 6 ? Effect.interrupt : Effect.void
        await once({ observe: stop }).then(() => Promise.reject(new Error("the run was not stopped")), (error) => {
          if (!`${error}`.includes("nterrupt")) throw error
        })
      }
      await once({ resume: resumed })
      return await hashOf(`${folder}/saved`)
    } finally {
      await Deno.remove(folder, { recursive: true })
    }
  })()
}

for (const run of runs) {
  // An error is a result too: what fails in one checkout must not pass for equal.
  const result = await perform(run).catch((error) => `failed: ${error}`)
  console.log(`${result.slice(0, 300)}  ${run.name}`)
}
