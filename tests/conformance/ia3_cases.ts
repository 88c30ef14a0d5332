/**
 * The conformance cases of IA3, which is a third party's plugin.
 * @module
 */
import type { Case } from "./cases.ts"

/** PEFT's `IA3Config`, in PEFT's own spelling. */
export interface IA3Options {
  readonly peft_type: "IA3"
  readonly target_modules?: ReadonlyArray<string>
  readonly feedforward_modules?: ReadonlyArray<string>
  readonly init_ia3_weights: boolean
}

const base: Pick<Case, "kind" | "model" | "rows" | "labels" | "training"> = {
  kind: "train",
  model: { family: "llama", head: "causal", std: 0.2 },
  rows: [[17, 23, 9, 31]],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
}
const classes = { ...base, rows: [[17, 23, 9, 17]], labels: "class" } as const satisfies Partial<Case>
const ia3: IA3Options = { peft_type: "IA3", init_ia3_weights: false }

/** Cases that are trained. */
export const ia3Trained: ReadonlyArray<Case> = [
  { ...base, name: "ia3", ia3 },
  { ...base, name: "ia3-default-init", ia3: { ...ia3, init_ia3_weights: true } },
  {
    ...base,
    name: "ia3-targets",
    model: { ...base.model, family: "qwen2" },
    ia3: { ...ia3, target_modules: ["q_proj", "o_proj", "up_proj"], feedforward_modules: ["o_proj"] },
  },
  { ...classes, name: "ia3-classification", model: { ...base.model, head: "classification" }, ia3 },
  { ...classes, name: "bert-ia3-classification", model: { family: "bert", head: "classification", std: 0.2 }, ia3 },
  {
    ...classes,
    name: "bert-ia3-masked",
    model: { family: "bert", head: "masked", std: 0.2 },
    labels: "masked",
    ia3,
  },
]

/** Wrong runs: of which case, what they are called, what is wrong. */
export const ia3Controls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["ia3", "ia3-idle", { training: { ...base.training, learningRate: 0 } }],
  ["bert-ia3-classification", "bert-ia3-rate", { training: { ...base.training, learningRate: 2e-2 } }],
]
