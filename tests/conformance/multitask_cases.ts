/**
 * The conformance cases of several tasks in one step: gradients without conflicts, losses weighed by uncertainty, prompts with
 * a part of each task.
 * @module
 */
import type { Case, LoraOptions, PromptOptions } from "./cases.ts"

/** Options of the plugin of several tasks; its mixing is off: a case has its batches. */
export interface MultitaskOptions {
  readonly gradientSurgery?: "pcgrad"
  readonly lossWeights?: "uncertainty"
}

const lora = (target_modules: string | ReadonlyArray<string>): LoraOptions => (
  { r: 4, lora_alpha: 8, target_modules, init_lora_weights: false }
)
const causal = {
  kind: "train",
  model: { family: "llama", head: "causal" },
  lora: lora("all-linear"),
  rows: [[17, 23], [9, 31], [12]],
  tasks: ["one", "other", "one"],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
} as const satisfies Partial<Case>
const masked = {
  ...causal,
  model: { family: "bert", head: "masked" },
  // Heads stay as they are: here each task has one, and the reference one for all.
  lora: lora(["query", "value", "intermediate.dense", "output.dense"]),
  rows: [[17, 23], [9, 17]],
  tasks: ["one", "other"],
  labels: "masked",
} as const satisfies Partial<Case>
/** Weights for which float32, torch's too, holds the rule with a margin. */
const seeded: Case["model"] = { ...causal.model, seed: 6 }
const prompt = (options: Pick<PromptOptions, "num_tasks" | "num_ranks">): Partial<Case> => ({
  prompt: { peft_type: "MULTITASK_PROMPT_TUNING", num_virtual_tokens: 5, ...options },
  multitask: {},
})
const prompted = {
  kind: "train",
  model: { family: "llama", head: "causal", std: 0.2 },
  rows: [[17, 23], [9, 31], [12]],
  tasks: ["one", "other", "one"],
  // PEFT's loss else asks for a row's first token too, which the last virtual one predicts.
  labels: "completion",
  training: causal.training,
} as const satisfies Partial<Case>
const pcgrad = { gradientSurgery: "pcgrad" } as const
const uncertainty = { lossWeights: "uncertainty" } as const

/** Cases that are trained. */
export const multitaskTrained: ReadonlyArray<Case> = [
  { ...causal, name: "pcgrad", multitask: pcgrad },
  { ...masked, name: "bert-pcgrad", multitask: pcgrad },
  { ...causal, name: "uncertainty", model: seeded, multitask: uncertainty },
  { ...masked, name: "bert-uncertainty", multitask: uncertainty },
  { ...causal, name: "pcgrad-uncertainty", model: seeded, multitask: { ...pcgrad, ...uncertainty } },
  { ...masked, name: "bert-pcgrad-uncertainty", multitask: { ...pcgrad, ...uncertainty } },
  { ...prompted, name: "multitask-prompt", model: { ...prompted.model, seed: 6 }, ...prompt({ num_tasks: 2, num_ranks: 1 }) },
  {
    ...prompted,
    name: "multitask-prompt-ranks",
    model: { ...prompted.model, family: "qwen2" },
    rows: [[17, 23], [9, 31], [12, 19]],
    tasks: ["one", "other", "third"],
    ...prompt({ num_tasks: 3, num_ranks: 2 }),
  },
]

/** The wrong runs that must be told apart, by the case that each must not agree with. */
export const multitaskControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["pcgrad", "pcgrad-off", { multitask: {} }],
  ["bert-pcgrad", "bert-pcgrad-off", { multitask: {} }],
  ["uncertainty", "uncertainty-off", { multitask: {} }],
  ["bert-uncertainty", "bert-uncertainty-off", { multitask: {} }],
  ["pcgrad-uncertainty", "uncertainty-alone", { multitask: uncertainty }],
  ["bert-pcgrad-uncertainty", "bert-pcgrad-alone", { multitask: pcgrad }],
  ["multitask-prompt", "multitask-prompt-rate", { training: { ...causal.training, learningRate: 2e-2 } }],
]
