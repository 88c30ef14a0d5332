/**
 * The conformance cases of what LoRA grew into: DoRA, PiSSA, OLoRA, LoRA+.
 * @module
 */
import type { Case, LoraOptions } from "./cases.ts"

const base: Pick<Case, "kind" | "model" | "rows" | "labels" | "training"> = {
  kind: "train",
  model: { family: "llama", head: "causal" },
  rows: [[17, 23, 9, 31]],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
}
const classes = {
  ...base,
  model: { family: "llama", head: "classification" },
  rows: [[17, 23, 9, 17]],
  labels: "class",
} as const satisfies Partial<Case>
const bert = {
  ...base,
  model: { family: "bert", head: "classification" },
  rows: [[17, 23, 9, 17]],
  labels: "class",
} as const satisfies Partial<Case>
const masked = { ...bert, model: { family: "bert", head: "masked" }, labels: "masked" } as const satisfies Partial<Case>

const lora = (options: Partial<LoraOptions> = {}): LoraOptions => ({
  r: 4,
  lora_alpha: 8,
  target_modules: "all-linear",
  init_lora_weights: false,
  ...options,
})
const dora = lora({ use_dora: true })
const pissa = lora({ init_lora_weights: "pissa" })
const olora = lora({ init_lora_weights: "olora" })
const faster = { training: { ...base.training, learningRate: 2.5e-3, loraPlusLrRatio: 4 } }
/** Weights for which float32, torch's too, holds the rule with a margin. */
const seeded: Case["model"] = { ...base.model, seed: 6 }

/** Cases that are trained. */
export const loraTrained: ReadonlyArray<Case> = [
  { ...base, name: "dora", model: seeded, lora: dora },
  { ...classes, name: "dora-classification", lora: dora },
  { ...bert, name: "bert-dora-classification", lora: dora },
  { ...masked, name: "bert-dora-masked", lora: dora },
  {
    ...base,
    name: "dora-options",
    model: { family: "qwen2", head: "causal" },
    lora: lora({
      use_dora: true,
      use_rslora: true,
      bias: "lora_only",
      target_modules: ["q_proj", "down_proj"],
      rank_pattern: { q_proj: 2 },
    }),
  },
  { ...base, name: "dora-default-init", lora: { ...dora, init_lora_weights: true } },
  { ...base, name: "pissa", lora: pissa },
  { ...classes, name: "pissa-classification", lora: pissa },
  { ...bert, name: "bert-pissa-classification", lora: pissa },
  { ...base, name: "pissa-rslora", lora: { ...pissa, use_rslora: true } },
  { ...base, name: "pissa-patterns", lora: { ...pissa, rank_pattern: { q_proj: 2 }, alpha_pattern: { up_proj: 3 } } },
  // At 1e-2 Adam makes full steps of a gradient that is rounding only: losses then follow the order of sums (1.5e-5).
  { ...base, name: "olora", lora: olora, training: { ...base.training, learningRate: 5e-3 } },
  { ...classes, name: "olora-classification", lora: olora },
  { ...bert, name: "bert-olora-classification", lora: olora },
  { ...base, name: "lora-plus", lora: lora(), ...faster },
  { ...masked, name: "bert-lora-plus", lora: lora(), ...faster },
  { ...base, name: "dora-plus", lora: dora, ...faster },
]

/** New adapters, held against PEFT's by the product of their factors: signs of directions are anybody's choice. */
export const loraInitialized: ReadonlyArray<Case> = [
  { ...base, name: "init-pissa", kind: "init", lora: pissa },
  { ...base, name: "init-olora", kind: "init", lora: olora },
]

/** Whether an adapter starts from the base weight. */
export const startsFromBase = ({ lora }: Case): boolean =>
  lora?.init_lora_weights === "pissa" || lora?.init_lora_weights === "olora"

const idle = { ...base.training, learningRate: 0 }

/** The wrong runs that must be told apart, by the case that each must not agree with. */
export const loraControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["dora", "dora-scaling", { lora: { ...dora, lora_alpha: 4 } }],
  ["bert-dora-classification", "bert-dora-idle", { training: idle }],
  ["pissa", "pissa-idle", { training: idle }],
  ["bert-pissa-classification", "bert-pissa-olora", { lora: olora }],
  ["init-pissa", "init-olora", { lora: olora }],
  ["lora-plus", "lora-plus-off", { training: { ...base.training, learningRate: 2.5e-3 } }],
]
