/**
 * The conformance cases of adapters over a base in few bits: QLoRA beside PEFT and bitsandbytes, QA-LoRA beside its formulas.
 * @module
 */
import type { Case, LoraOptions } from "../cases.ts"

/** What a base is quantized to. `nf4-plain`: its scales are not rounded to 8 bits. */
export type QuantizedBase = "nf4" | "nf4-plain" | "q4_1"

/** PEFT's `LoraConfig` with `use_qalora`, in PEFT's own spelling, and our field. */
export interface QaLoraOptions extends Pick<LoraOptions, "r" | "lora_alpha" | "use_rslora"> {
  readonly target_modules: ReadonlyArray<string>
  readonly qalora_group_size: number
  readonly qalora_pooling: "sum" | "mean" | "peft"
}

const base = {
  kind: "train",
  model: { family: "llama", head: "causal", wide: true },
  rows: [[17, 23, 9, 31]],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
} as const satisfies Partial<Case>
const lora: LoraOptions = { r: 8, lora_alpha: 8, target_modules: "all-linear", init_lora_weights: false }
const all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
const qalora = (pooling: QaLoraOptions["qalora_pooling"], more: Partial<QaLoraOptions> = {}): QaLoraOptions => ({
  r: 8,
  lora_alpha: 8,
  target_modules: all,
  qalora_group_size: 32,
  qalora_pooling: pooling,
  ...more,
})

/** Cases that are trained. */
export const quantizedTrained: ReadonlyArray<Case> = [
  { ...base, name: "qlora-nf4", quantized: "nf4", lora },
  {
    ...base,
    name: "qlora-nf4-options",
    quantized: "nf4",
    lora: { ...lora, use_rslora: true, target_modules: ["q_proj"] },
  },
  // Sums are large: at a scale of 1, AdamW at this rate magnifies rounding beyond the rule.
  { ...base, name: "qa-lora-sum", quantized: "q4_1", qalora: qalora("sum", { lora_alpha: 1 }) },
  { ...base, name: "qa-lora-mean", quantized: "q4_1", qalora: qalora("mean", { lora_alpha: 64 }) },
  { ...base, name: "qa-lora-peft", quantized: "q4_1", qalora: qalora("peft", { qalora_group_size: 64 }) },
  {
    ...base,
    name: "qa-lora-options",
    quantized: "q4_1",
    qalora: qalora("sum", { use_rslora: true, target_modules: ["v_proj", "down_proj"] }),
  },
]

/** The wrong runs that must be told apart, by the case that each must not agree with. */
export const quantizedControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["qlora-nf4", "qlora-nf4-plain", { quantized: "nf4-plain" }],
  ["qlora-nf4", "qlora-idle", { training: { ...base.training, learningRate: 0 } }],
  ["qa-lora-sum", "qa-lora-rate", { training: { ...base.training, learningRate: 9e-3 } }],
  ["qa-lora-mean", "qa-lora-mean-scale", { qalora: qalora("mean") }],
  ["qa-lora-peft", "qa-lora-peft-mean", { qalora: qalora("mean", { qalora_group_size: 64 }) }],
]
