/**
 * The conformance cases of GPT-2, whose files hold transposed, fused weights, and of LFM2, which mixes tokens by short
 * convolutions.
 * @module
 */
import type { AdaptersOptions } from "./adapters_cases.ts"
import type { Case, LoraOptions, PromptOptions } from "./cases.ts"
import type { IA3Options } from "./ia3_cases.ts"

/** The models of reference_mixers.py. */
export type MixerFamily = "gpt2" | "lfm2"

const base: Pick<Case, "kind" | "rows" | "labels" | "training"> = {
  kind: "train",
  rows: [[17, 23, 9, 31]],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
}
/** The bias of keys moves a row's scores alike. */
const fusedBias: Pick<Case, "parts" | "noGradient"> = {
  parts: { "attn.c_attn.bias": ["query", "key", "value"] },
  noGradient: ["attn.c_attn.bias.key"],
}
const gpt2 = { ...base, ...fusedBias, model: { family: "gpt2", head: "causal" } } as const satisfies Partial<Case>
const classes = {
  ...base,
  ...fusedBias,
  model: { family: "gpt2", head: "classification" },
  rows: [[17, 23, 9, 17]],
  labels: "class",
} as const satisfies Partial<Case>
const lfm2 = { ...base, model: { family: "lfm2", head: "causal" } } as const satisfies Partial<Case>
/** Frozen small weights leave a rescaling, or a prompt, little to learn. */
const loud = (one: typeof gpt2 | typeof lfm2) => ({ ...one, model: { ...one.model, std: 0.2 } })
/** PEFT's loss also asks for a row's first token, which the last virtual one predicts; not so where a prompt is masked. */
const completion = { labels: "completion" } as const satisfies Partial<Case>

const lora = (options: Partial<LoraOptions> = {}): LoraOptions => ({
  r: 8,
  lora_alpha: 8,
  target_modules: "all-linear",
  init_lora_weights: false,
  ...options,
})
const fused = lora({ target_modules: ["c_attn"] })
const ia3: IA3Options = { peft_type: "IA3", init_ia3_weights: false }
const ia3Lfm2: IA3Options = { ...ia3, target_modules: ["k_proj", "in_proj", "w2"], feedforward_modules: ["w2"] }
const prompt = (peft_type: PromptOptions["peft_type"], more: Partial<PromptOptions> = {}): PromptOptions => ({
  peft_type,
  num_virtual_tokens: 5,
  ...more,
})
const pTuning = prompt("P_TUNING", { encoder_reparameterization_type: "MLP", encoder_hidden_size: 24 })
const sampled = prompt("PROMPT_TUNING", { prompt_tuning_init: "SAMPLE_VOCAB" })
const adapter = (preset: "seq_bn" | "double_seq_bn" | "par_bn"): AdaptersOptions => ({
  configs: { default: { preset, reduction_factor: 4 } },
})

/** Cases that are trained. */
export const mixersTrained: ReadonlyArray<Case> = [
  { ...gpt2, name: "gpt2-full" },
  { ...gpt2, name: "gpt2-full-scaled", model: { ...gpt2.model, scaled: true, tied: false } },
  { ...gpt2, name: "gpt2-lora", lora: fused },
  { ...gpt2, name: "gpt2-lora-all-linear", lora: lora() },
  { ...gpt2, name: "gpt2-lora-default-targets", lora: { r: 8, lora_alpha: 8, init_lora_weights: false } },
  { ...gpt2, name: "gpt2-dora", lora: lora({ use_dora: true }) },
  { ...loud(gpt2), name: "gpt2-ia3", ia3 },
  { ...loud(gpt2), name: "gpt2-prefix", rows: [[9, 11]], prompt: prompt("PREFIX_TUNING") },
  { ...loud(gpt2), ...completion, name: "gpt2-prompt", prompt: sampled },
  { ...loud(gpt2), ...completion, name: "gpt2-p-tuning", prompt: pTuning },
  { ...gpt2, name: "gpt2-seq_bn", rows: [[9, 11]], adapters: adapter("seq_bn") },
  { ...classes, name: "gpt2-full-classification" },
  { ...classes, name: "gpt2-lora-classification", lora: fused },
  { ...classes, name: "gpt2-double_seq_bn-classification", adapters: adapter("double_seq_bn") },
  {
    ...classes,
    name: "gpt2-lora-tokens",
    model: { family: "gpt2", head: "tokens" },
    labels: "tokens",
    lora: fused,
  },
  { ...lfm2, name: "lfm2-full" },
  { ...lfm2, name: "lfm2-full-biased", model: { ...lfm2.model, biased: true, tied: false } },
  { ...lfm2, name: "lfm2-full-accumulation", rows: [[31], [9, 2, 23]], labels: "completion" },
  { ...lfm2, name: "lfm2-lora", lora: lora() },
  { ...lfm2, name: "lfm2-dora", lora: lora({ use_dora: true, target_modules: ["in_proj", "out_proj", "q_proj"] }) },
  { ...loud(lfm2), name: "lfm2-ia3", ia3: ia3Lfm2 },
  { ...loud(lfm2), ...completion, name: "lfm2-prompt", prompt: sampled },
  { ...loud(lfm2), ...completion, name: "lfm2-p-tuning", prompt: pTuning },
]

const idle = { ...base.training, learningRate: 0 }

/** Wrong runs: of which case, what they are called, what is wrong. */
export const mixersControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["gpt2-lora", "gpt2-lora-scaling", { lora: { ...fused, lora_alpha: 16 } }],
  ["gpt2-full-classification", "gpt2-idle", { training: idle }],
  ["lfm2-full", "lfm2-idle", { training: idle }],
  ["lfm2-lora", "lfm2-lora-scaling", { lora: lora({ lora_alpha: 16 }) }],
]
