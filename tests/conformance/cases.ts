/**
 * The conformance cases: what is trained, how, and which wrong run must be told apart.
 * @module
 */
import { adaptersControls, type AdaptersOptions, adaptersTrained } from "./adapters_cases.ts"
import { type DecoderFamily, decodersControls, decodersTrained } from "./decoders_cases.ts"
import { type EncoderFamily, encodersControls, encodersRead, encodersTrained } from "./encoders_cases.ts"
import { ia3Controls, type IA3Options, ia3Trained } from "./ia3_cases.ts"
import { loraControls, loraInitialized, loraTrained } from "./lora_cases.ts"
import { type MixerFamily, mixersControls, mixersTrained } from "./mixers_cases.ts"
import { multitaskControls, type MultitaskOptions, multitaskTrained } from "./multitask_cases.ts"
import {
  type QaLoraOptions,
  type QuantizedBase,
  quantizedControls,
  quantizedTrained,
} from "./quantized/quantized_cases.ts"
import { seq2seqControls, seq2seqTrained } from "./seq2seq_cases.ts"
import { privateControls, type PrivateOptions, privateTrained } from "./private_cases.ts"

/** PEFT's `LoraConfig`, in PEFT's own spelling. */
export interface LoraOptions {
  readonly r: number
  readonly lora_alpha: number
  readonly target_modules?: string | ReadonlyArray<string>
  readonly exclude_modules?: string | ReadonlyArray<string>
  readonly bias?: "none" | "all" | "lora_only"
  readonly use_rslora?: boolean
  readonly modules_to_save?: ReadonlyArray<string>
  readonly init_lora_weights: boolean | "gaussian" | "pissa" | "olora"
  readonly use_dora?: boolean
  readonly layers_to_transform?: ReadonlyArray<number>
  readonly rank_pattern?: Readonly<Record<string, number>>
  readonly alpha_pattern?: Readonly<Record<string, number>>
}

/** PEFT's config of a method that puts virtual tokens before a sequence, in PEFT's own spelling. */
export interface PromptOptions {
  readonly peft_type: "PREFIX_TUNING" | "PROMPT_TUNING" | "P_TUNING" | "MULTITASK_PROMPT_TUNING"
  readonly num_virtual_tokens: number
  readonly num_tasks?: number
  readonly num_ranks?: number
  readonly prefix_projection?: boolean
  readonly prompt_tuning_init?: "RANDOM" | "SAMPLE_VOCAB"
  readonly encoder_reparameterization_type?: "MLP"
  readonly encoder_hidden_size?: number
  readonly num_transformer_submodules?: number
}

/** One comparison with PyTorch, transformers and PEFT. */
export interface Case {
  /** Also the name of its directory. */
  readonly name: string
  /** `train`: losses, gradients, changes, logits and files. `logits`: of the untrained base model. `init`: distribution of a new adapter. `embeddings`: of texts. */
  readonly kind: "train" | "logits" | "init" | "embeddings"
  /** The base model, with random weights; MiniLM has its own. */
  readonly model: {
    readonly family:
      | ("llama" | "mistral" | "qwen2" | "qwen3" | "bert" | "distilbert" | "minilm")
      | DecoderFamily
      | EncoderFamily
      | MixerFamily
      | "t5"
    readonly head: "causal" | "classification" | "tokens" | "masked" | "seq2seq"
    readonly tied?: boolean
    /** Of encoder and decoder each; 2 unless given. */
    readonly layers?: number
    readonly rope?: "llama3"
    /** Sliding window, shorter than most rows: of all layers (Mistral) or of some. */
    readonly window?: number
    readonly dtype?: "bfloat16" | "float16"
    readonly sharded?: boolean
    /** Scores of attention are divided by the number of the layer, too (GPT-2). */
    readonly scaled?: boolean
    /** Convolutions have biases (LFM2). */
    readonly biased?: boolean
    /** Twice as wide, so that rows are whole blocks of quantized weights. */
    readonly wide?: boolean
    /** Of the random weights, 0 unless given. */
    readonly seed?: number
    /** Standard deviation of the random weights, 0.05 unless given: frozen small ones leave a prompt little to learn. Of T5 a factor of its own. */
    readonly std?: number
    /** What stands for a text in a classifier. */
    readonly pooling?: "cls" | "mean" | "bos" | "late"
  }
  /** Full fine-tuning has neither this nor another method. */
  readonly lora?: LoraOptions
  /** Instead of `lora`. */
  readonly prompt?: PromptOptions
  /** Instead of those. */
  readonly adapters?: AdaptersOptions
  /** Instead of those: the third party's. */
  readonly ia3?: IA3Options
  /** Instead of those: by its formulas, for PEFT's needs GPTQ layers. */
  readonly qalora?: QaLoraOptions
  /** What the base's Linear modules, but for the head, are quantized to. */
  readonly quantized?: QuantizedBase
  /** Lengths of the rows of each micro-batch; one optimizer step takes all of them. */
  readonly rows: ReadonlyArray<ReadonlyArray<number>>
  /** The task of each micro-batch, where there are several over the same frozen head. */
  readonly tasks?: ReadonlyArray<string>
  /** Of several tasks. */
  readonly multitask?: MultitaskOptions
  /** Gradients of examples are clipped. */
  readonly private?: PrivateOptions
  /** Every token, every token after the first third of its row, a class a row, a class a token, hidden tokens, or a target. */
  readonly labels: "all" | "completion" | "class" | "tokens" | "masked" | "target"
  /** Of kind `embeddings`. */
  readonly texts?: ReadonlyArray<string>
  /** Ends of names of tensors without any effect on the loss, such as the bias of keys: it moves a row's scores alike. */
  readonly noGradient?: ReadonlyArray<string>
  /** Names of equal parts of tensors, by the ends of their names: those of a fused projection are compared apart. */
  readonly parts?: Readonly<Record<string, ReadonlyArray<string>>>
  readonly training: {
    readonly steps: number
    readonly learningRate: number
    /** Of matrices only: norms and biases do not decay. */
    readonly weightDecay: number
    /** LoRA+: what the learning rate of B is a multiple of that of A. */
    readonly loraPlusLrRatio?: number
    /** Bound on the norm of all gradients together. */
    readonly maxGradNorm?: number
  }
  /** Version of transformers from which on it computes the same. Default: all. */
  readonly since?: number
  /** A control: a deliberately wrong run that must NOT agree with the case of this name. */
  readonly controlOf?: string
}

const base: Pick<Case, "kind" | "model" | "rows" | "labels" | "training"> = {
  kind: "train",
  model: { family: "llama", head: "causal" },
  rows: [[17, 23, 9, 31]],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
}
/** Weights for which float32 holds the rule with a margin: AdamW magnifies the rounding of gradients that are nearly zero. */
const seeded: Case["model"] = { ...base.model, seed: 6 }
const slidingMistral: Case["model"] = { family: "mistral", head: "causal", window: 6 }
const classification = {
  ...base,
  model: { family: "llama", head: "classification" },
  rows: [[17, 23, 9, 17]],
  labels: "class",
} as const satisfies Partial<Case>

const lora = (options: Partial<LoraOptions> = {}): LoraOptions => ({
  r: 8,
  lora_alpha: 8,
  target_modules: ["q_proj", "v_proj"],
  init_lora_weights: false,
  ...options,
})
const allLinear = lora({ target_modules: "all-linear" })

const trained: ReadonlyArray<Case> = [
  { ...base, name: "lora-q-v", lora: lora() },
  { ...base, name: "lora-all-linear", lora: allLinear },
  { ...base, name: "lora-completion", lora: allLinear, labels: "completion" },
  {
    ...base,
    name: "lora-regex",
    lora: lora({ target_modules: ".*\\.layers\\.1\\.(self_attn\\.(q|k)_proj|mlp\\.down_proj)" }),
  },
  { ...base, name: "lora-exclude-list", lora: lora({ target_modules: "all-linear", exclude_modules: ["k_proj"] }) },
  {
    ...base,
    name: "lora-exclude-regex",
    lora: lora({ target_modules: ["q_proj", "up_proj"], exclude_modules: ".*layers\\.0\\..*up_proj" }),
  },
  { ...base, name: "lora-bias-all", model: { family: "qwen2", head: "causal" }, lora: lora({ bias: "all" }) },
  { ...base, name: "lora-bias-only", model: { family: "qwen2", head: "causal" }, lora: lora({ bias: "lora_only" }) },
  { ...base, name: "lora-rslora", lora: lora({ use_rslora: true }) },
  { ...base, name: "lora-modules-to-save", lora: lora({ modules_to_save: ["lm_head"] }) },
  { ...base, name: "lora-modules-to-save-embedding", lora: lora({ modules_to_save: ["embed_tokens", "lm_head"] }) },
  {
    ...base,
    name: "lora-patterns",
    lora: lora({
      rank_pattern: { "layers.1.self_attn.v_proj": 2, q_proj: 4 },
      alpha_pattern: { v_proj: 4, "layers.0.self_attn.q_proj": 32 },
    }),
  },
  { ...base, name: "lora-layers", lora: lora({ layers_to_transform: [1] }) },
  { ...base, name: "lora-default-init", lora: { ...allLinear, init_lora_weights: true } },
  { ...base, name: "lora-tied", model: { family: "llama", head: "causal", tied: true }, lora: allLinear },
  { ...base, name: "lora-qwen2", model: { family: "qwen2", head: "causal" }, lora: allLinear },
  { ...base, name: "lora-qwen3", model: { family: "qwen3", head: "causal" }, lora: allLinear },
  { ...base, name: "lora-qwen3-window", model: { family: "qwen3", head: "causal", window: 5 }, lora: allLinear },
  { ...base, name: "lora-mistral-window", model: slidingMistral, lora: allLinear },
  { ...base, name: "lora-weight-decay", lora: allLinear, training: { ...base.training, weightDecay: 0.5 } },
  {
    ...base,
    name: "lora-clipping",
    model: seeded,
    lora: allLinear,
    training: { ...base.training, maxGradNorm: 0.1 },
  },
  { ...base, name: "lora-accumulation", lora: allLinear, rows: [[31], [9, 17, 23]], labels: "completion" },
  { ...classification, name: "lora-classification", lora: allLinear },
  {
    ...classification,
    name: "lora-classification-qwen2",
    model: { family: "qwen2", head: "classification" },
    lora: lora({ bias: "all" }),
  },
  { ...base, name: "full-causal", model: seeded },
  { ...base, name: "full-tied", model: { family: "llama", head: "causal", tied: true } },
  { ...base, name: "full-qwen2", model: { family: "qwen2", head: "causal" } },
  { ...base, name: "full-qwen3", model: { family: "qwen3", head: "causal" } },
  { ...base, name: "full-mistral-window", model: slidingMistral },
  { ...base, name: "full-weight-decay", training: { ...base.training, weightDecay: 0.5 } },
  { ...base, name: "full-clipping", training: { ...base.training, maxGradNorm: 0.1 } },
  { ...base, name: "full-accumulation", rows: [[31], [9, 17, 23]], labels: "completion" },
  {
    ...classification,
    name: "lora-classification-mistral-window",
    model: { family: "mistral", head: "classification", window: 6 },
    lora: allLinear,
  },
  { ...classification, name: "full-classification" },
  { ...classification, name: "full-classification-accumulation", rows: [[31], [9, 17, 31]] },
]

const encoder = (
  family: "bert" | "distilbert" | "minilm",
  head: "classification" | "tokens" | "masked",
): Pick<Case, "kind" | "model" | "rows" | "labels" | "training" | "noGradient"> => ({
  ...base,
  model: { family, head },
  rows: [[17, 23, 9, 17]],
  labels: head === "classification" ? "class" : head,
  noGradient: ["attention.self.key.bias", "attention.k_lin.bias"],
})
const queryValue = lora({ target_modules: ["query", "value"] })
const encoders: ReadonlyArray<Case> = [
  { ...encoder("bert", "classification"), name: "bert-lora-classification", lora: queryValue },
  { ...encoder("bert", "classification"), name: "bert-lora-all-linear", lora: allLinear },
  { ...encoder("bert", "tokens"), name: "bert-lora-tokens", lora: queryValue },
  { ...encoder("bert", "masked"), name: "bert-lora-masked", lora: allLinear },
  {
    ...encoder("bert", "classification"),
    name: "bert-full-classification",
    model: { family: "bert", head: "classification", seed: 6 },
  },
  { ...encoder("bert", "tokens"), name: "bert-full-tokens" },
  { ...encoder("bert", "masked"), name: "bert-full-masked" },
  {
    ...encoder("distilbert", "classification"),
    name: "distilbert-lora-classification",
    lora: lora({ target_modules: ["q_lin", "v_lin"] }),
  },
  {
    ...encoder("distilbert", "tokens"),
    name: "distilbert-lora-tokens",
    lora: lora({ target_modules: ["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"] }),
  },
  { ...encoder("distilbert", "masked"), name: "distilbert-lora-masked", lora: allLinear },
  { ...encoder("distilbert", "classification"), name: "distilbert-full-classification" },
  { ...encoder("distilbert", "masked"), name: "distilbert-full-masked", rows: [[17], [23, 9, 17]] },
  { ...encoder("minilm", "classification"), name: "minilm-lora-classification", lora: queryValue },
]
const texts = [
  "A gardener trains a pear tree along a frame.",
  "An espalier is a tree that grows flat against a wall!",
  "Ein Café in Zürich hat heute geschlossen",
  "free entry: text WIN to 80086, 1st prize \u00a31000",
]

const read: ReadonlyArray<Case> = [
  ...encodersRead,
  { ...encoder("minilm", "masked"), name: "minilm-embeddings", kind: "embeddings", texts },
  { ...base, name: "logits-float32", kind: "logits" },
  { ...base, name: "logits-bfloat16", kind: "logits", model: { ...base.model, dtype: "bfloat16" } },
  { ...base, name: "logits-float16", kind: "logits", model: { ...base.model, dtype: "float16" } },
  { ...base, name: "logits-sharded", kind: "logits", model: { ...base.model, sharded: true } },
  { ...base, name: "logits-llama3-rope", kind: "logits", model: { ...base.model, rope: "llama3" } },
  { ...base, name: "logits-qwen2", kind: "logits", model: { family: "qwen2", head: "causal" } },
  { ...base, name: "logits-qwen3", kind: "logits", model: { family: "qwen3", head: "causal" } },
  { ...base, name: "logits-qwen2-window", kind: "logits", model: { family: "qwen2", head: "causal", window: 5 } },
  { ...base, name: "logits-mistral-window", kind: "logits", model: slidingMistral },
  { ...base, name: "logits-tied", kind: "logits", model: { ...base.model, tied: true } },
]

const initialized: ReadonlyArray<Case> = [
  { ...base, name: "init-default", kind: "init", lora: { ...allLinear, init_lora_weights: true } },
  { ...base, name: "init-gaussian", kind: "init", lora: { ...allLinear, init_lora_weights: "gaussian" } },
  ...loraInitialized,
]

const virtual = (peft_type: PromptOptions["peft_type"], options: Partial<PromptOptions> = {}): PromptOptions => ({
  peft_type,
  num_virtual_tokens: 5,
  ...options,
})
const prefix = virtual("PREFIX_TUNING")
const projected = virtual("PREFIX_TUNING", { prefix_projection: true, encoder_hidden_size: 12 })
// As large as embeddings of real tokens, so that 20 steps teach something.
const prompt = virtual("PROMPT_TUNING", { prompt_tuning_init: "SAMPLE_VOCAB" })
const pTuning = virtual("P_TUNING", { encoder_reparameterization_type: "MLP", encoder_hidden_size: 24 })
// PEFT's loss also asks for a row's first token, which the last virtual one predicts; not so where a prompt is masked.
const completion = {
  ...base,
  model: { ...base.model, std: 0.2 },
  labels: "completion",
} as const satisfies Partial<Case>
const frozenBert = {
  ...encoder("bert", "classification"),
  model: { family: "bert", head: "classification", std: 0.2 },
} as const satisfies Partial<Case>
// Transformers' head of a Llama takes a row's last place, padding or not, when there are virtual tokens.
const unpadded = { ...classification, rows: [[17, 17, 17, 17]] } as const satisfies Partial<Case>
const prompts: ReadonlyArray<Case> = [
  { ...completion, name: "prefix-causal", labels: "all", prompt: prefix },
  { ...completion, name: "prefix-projection-causal", labels: "all", prompt: projected },
  { ...classification, name: "prefix-classification", prompt: prefix },
  { ...classification, name: "prefix-projection-classification", prompt: projected },
  { ...encoder("bert", "classification"), name: "bert-prefix-classification", prompt: prefix },
  { ...encoder("bert", "classification"), name: "bert-prefix-projection-classification", prompt: projected },
  { ...completion, name: "prompt-causal", prompt },
  { ...completion, name: "p-tuning-causal", prompt: pTuning },
  { ...unpadded, name: "prompt-classification", prompt },
  { ...unpadded, name: "p-tuning-classification", prompt: pTuning },
  { ...frozenBert, name: "bert-prompt-classification", prompt },
  { ...frozenBert, name: "bert-p-tuning-classification", prompt: pTuning },
]

/** Cases that Espalier must agree in. */
const agreeing: ReadonlyArray<Case> = [
  ...trained,
  ...encoders,
  ...prompts,
  ...adaptersTrained,
  ...encodersTrained,
  ...ia3Trained,
  ...mixersTrained,
  ...seq2seqTrained,
  ...quantizedTrained,
  ...loraTrained,
  ...multitaskTrained,
  ...privateTrained,
  ...decodersTrained,
  ...read,
  ...initialized,
]

const find = (name: string): Case =>
  [
    ...agreeing,
  ]
    .find((one) => one.name === name)!
const control = (of: string, name: string, change: Partial<Case>): Case => ({
  ...find(of),
  ...change,
  name: `control-${name}`,
  controlOf: of,
})
const idle = { ...base.training, learningRate: 0 }

const controls: ReadonlyArray<Case> = [
  control("lora-q-v", "scaling", { lora: lora({ lora_alpha: 16 }) }),
  control("lora-rslora", "rslora-off", { lora: lora({ use_rslora: false }) }),
  control("lora-patterns", "alpha-pattern-off", {
    lora: lora({ rank_pattern: { "layers.1.self_attn.v_proj": 2, q_proj: 4 } }),
  }),
  control("lora-default-init", "lora-idle", { training: idle }),
  control("lora-weight-decay", "no-decay", { training: base.training }),
  control("lora-clipping", "no-clipping", { training: base.training }),
  control("lora-completion", "no-label-mask", { labels: "all" }),
  control("lora-classification", "classification-idle", { training: idle }),
  control("full-causal", "full-idle", { training: idle }),
  control("full-weight-decay", "full-no-decay", { training: base.training }),
  control("full-clipping", "full-no-clipping", { training: base.training }),
  control("full-tied", "untied", { model: base.model }),
  control("bert-lora-classification", "bert-scaling", { lora: lora({ ...queryValue, lora_alpha: 16 }) }),
  control("bert-full-masked", "bert-idle", { training: idle }),
  control("prefix-causal", "prefix-idle", { training: idle }),
  control("bert-prefix-classification", "bert-prefix-idle", { training: idle }),
  control("prompt-causal", "prompt-idle", { training: idle }),
  control("bert-prompt-classification", "bert-prompt-rate", { training: { ...base.training, learningRate: 2e-2 } }),
  control("p-tuning-causal", "p-tuning-rate", { training: { ...base.training, learningRate: 2e-2 } }),
  ...loraControls.map(([of, name, change]) => control(of, name, change)),
  ...multitaskControls.map(([of, name, change]) => control(of, name, change)),
  ...privateControls.map(([of, name, change]) => control(of, name, change)),
  ...decodersControls.map(([of, name, change]) => control(of, name, change)),
  ...ia3Controls.map(([of, name, change]) => control(of, name, change)),
  ...mixersControls.map(([of, name, change]) => control(of, name, change)),
  ...seq2seqControls.map(([of, name, change]) => control(of, name, change)),
  ...quantizedControls.map(([of, name, change]) => control(of, name, change)),
  ...adaptersControls.map(([of, name, change]) => control(of, name, change)),
  ...encodersControls.map(([of, name, change]) => control(of, name, change)),
  control("minilm-embeddings", "other-texts", {
    texts: texts.map((text) => text.replace("tree", "frame").slice(0, -9)),
  }),
  control("logits-llama3-rope", "plain-rope", { model: base.model }),
  control("logits-mistral-window", "no-window", { model: { family: "mistral", head: "causal" } }),
  control("init-gaussian", "uniform-init", { lora: { ...allLinear, init_lora_weights: true } }),
]

/** Whether a case trains a method beside the model, which is saved alone. */
export const hasMethod = (one: Case): boolean =>
  one.lora !== undefined || one.prompt !== undefined || one.adapters !== undefined || one.ia3 !== undefined ||
  one.qalora !== undefined

/** Every case, controls last. */
export const cases: ReadonlyArray<Case> = [
  ...agreeing,
  ...controls,
]

/** What has no reference, and why; with the test that stands in, where there is one. */
export const noReference: ReadonlyArray<string> = [
  "RoBERTa's classifier of texts with a prefix: its head takes past_key_values for hidden states",
  "bottleneck adapters in CamemBERT, MPNet, EuroBERT and Ettin's decoders: AdapterHub has no such models",
  "LFM2 with a prefix: PEFT's cache has no convolutions (tests/plugins/lfm2/network_test.ts, beside transformers)",
  "ModernBERT, MPNet, EuroBERT and DistilBERT with a prefix: PEFT refuses models that take no past_key_values " +
  "(tests/plugins/prefix_tuning/formula_test.ts)",
  "bottleneck adapters in Gemma, SmolLM3 and Granite: AdapterHub has no such models",
  "padded rows of a Llama classifier with virtual tokens: transformers' head takes the last place, padding or not " +
  "(tests/plugins/prompt_tuning/formula_test.ts)",
]

/** Names of cases that also run on WebGPU. */
export const onWebgpu: ReadonlyArray<string> = [
  "lora-q-v",
  "lora-classification",
  "bert-lora-classification",
  "bert-lora-masked",
  "adapters-fields",
  "adapters-fuse",
  "prefix-classification",
  "bert-prompt-classification",
  "bert-ia3-classification",
  "dora",
  "bert-pissa-classification",
  "control-bert-scaling",
]
