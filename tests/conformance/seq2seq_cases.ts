/**
 * The conformance cases of encoder-decoder models.
 * @module
 */
import type { Case, LoraOptions, PromptOptions } from "./cases.ts"

const base = {
  kind: "train",
  model: { family: "t5", head: "seq2seq", tied: true },
  rows: [[17, 23, 9, 31]],
  labels: "target",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
} as const satisfies Partial<Case>
/** Version 1.1: gated, with an output of its own. */
const untied: Case["model"] = { ...base.model, tied: false }

const lora = (options: Partial<LoraOptions> = {}): LoraOptions => ({
  r: 8,
  lora_alpha: 8,
  target_modules: ["q", "v"],
  init_lora_weights: false,
  ...options,
})
const ia3 = { peft_type: "IA3", init_ia3_weights: false } as const
const virtual = (peft_type: PromptOptions["peft_type"], options: Partial<PromptOptions> = {}): PromptOptions => ({
  peft_type,
  num_virtual_tokens: 5,
  ...options,
})
// PEFT makes twice as many rows and reads the first half; more than these play no part.
const prompt = virtual("PROMPT_TUNING", { prompt_tuning_init: "SAMPLE_VOCAB", num_transformer_submodules: 1 })
const pTuning = virtual("P_TUNING", {
  encoder_reparameterization_type: "MLP",
  encoder_hidden_size: 24,
  num_transformer_submodules: 1,
})
const prefix = virtual("PREFIX_TUNING")

/** Smaller weights, for which float32 holds the rule: scores have no scale, and AdamW magnifies what their softmax rounds. */
const calm = { std: 0.5 } as const
/** Few tokens and an output of its own, so that 20 steps teach virtual tokens something. */
const few = { ...base, model: untied, rows: [[9, 11]] } as const satisfies Partial<Case>

/** Cases that are trained. */
export const seq2seqTrained: ReadonlyArray<Case> = [
  { ...base, name: "t5-full", model: { ...base.model, ...calm, seed: 6 }, rows: [[9, 17]] },
  { ...base, name: "t5-full-untied", model: { ...untied, ...calm }, rows: [[31], [9, 17, 23]] },
  { ...base, name: "t5-lora", lora: lora() },
  { ...base, name: "t5-lora-all-linear", model: untied, lora: lora({ target_modules: "all-linear" }) },
  { ...base, name: "t5-dora", lora: lora({ use_dora: true }) },
  { ...base, name: "t5-ia3", ia3 },
  { ...base, name: "t5-ia3-untied", model: untied, ia3 },
  { ...few, name: "t5-prefix", prompt: prefix },
  { ...few, name: "t5-prefix-three-layers", model: { ...untied, layers: 3 }, prompt: prefix },
  {
    ...base,
    name: "t5-prefix-projection",
    prompt: virtual("PREFIX_TUNING", { prefix_projection: true, encoder_hidden_size: 12 }),
  },
  { ...few, name: "t5-prompt", prompt },
  { ...base, name: "t5-p-tuning", prompt: pTuning },
  ...(["seq_bn", "double_seq_bn", "par_bn"] as const).map((preset): Case => ({
    ...base,
    name: `t5-adapters-${preset}`,
    adapters: { configs: { default: { preset, reduction_factor: 4 } } },
  })),
]

/** Wrong runs: of which case, what they are called, what is wrong. */
export const seq2seqControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["t5-full", "t5-untied", { model: { ...untied, ...calm } }],
  ["t5-lora", "t5-scaling", { lora: lora({ lora_alpha: 16 }) }],
  ["t5-prefix", "t5-prefix-idle", { training: { ...base.training, learningRate: 0 } }],
]
