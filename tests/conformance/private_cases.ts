/**
 * The conformance cases of private training without noise: each example's gradient is clipped, their sum divided by the
 * number of examples that a step is planned for.
 * @module
 */
import type { Case, LoraOptions } from "./cases.ts"

/** Private training without noise. */
export interface PrivateOptions {
  /** Most that an example's gradient measures. */
  readonly clip: number
  /** Examples that a step is planned for; those of a case are others in number. */
  readonly planned: number
}

const lora = (target_modules: string | ReadonlyArray<string>): LoraOptions => (
  { r: 4, lora_alpha: 8, target_modules, init_lora_weights: false }
)
const causal = {
  kind: "train",
  model: { family: "llama", head: "causal", seed: 6 },
  lora: lora("all-linear"),
  rows: [[17, 23, 9, 31]],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
} as const satisfies Partial<Case>
const classes = {
  ...causal,
  model: { family: "bert", head: "classification" },
  lora: lora(["query", "value"]),
  rows: [[17, 23, 9, 17]],
  labels: "class",
} as const satisfies Partial<Case>
// In each step some examples measure more, and some less.
const clipped = { clip: 2, planned: 3 }
const less = { clip: 1.4, planned: 3 }

/** Cases that are trained. */
export const privateTrained: ReadonlyArray<Case> = [
  { ...causal, name: "private", private: clipped },
  // At 1e-2 Adam makes full steps of a gradient that is rounding only: torch's own float32 then breaks the rule too.
  {
    ...causal,
    name: "private-accumulation",
    rows: [[31], [9, 17, 23]],
    private: clipped,
    training: { ...causal.training, learningRate: 5e-3 },
  },
  { ...classes, name: "bert-private", private: less },
  { ...classes, name: "bert-private-accumulation", rows: [[17], [23, 9, 17]], private: less },
]

/** The wrong runs that must be told apart, by the case that each must not agree with. */
export const privateControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["private", "private-clip", { private: { ...clipped, clip: 1e9 } }],
  ["private", "private-planned", { private: { ...clipped, planned: 4 } }],
  ["bert-private", "bert-private-clip", { private: { ...less, clip: 1e9 } }],
  ["bert-private", "bert-private-planned", { private: { ...less, planned: 4 } }],
]
