/**
 * The conformance cases of Gemma, SmolLM3 and Granite. AdapterHub has none of them.
 * @module
 */
import type { Case } from "./cases.ts"

/** Families that reference_decoders.py builds. */
export type DecoderFamily = "gemma3" | "gemma2" | "vaultgemma" | "smollm3" | "granite" | "granite-dense"

const base: Pick<Case, "kind" | "rows" | "labels" | "training"> = {
  kind: "train",
  rows: [[17, 23, 9, 31]],
  labels: "all",
  training: { steps: 20, learningRate: 1e-2, weightDecay: 0 },
}
const causal = (family: DecoderFamily, more: Partial<Case["model"]> = {}) =>
  ({ ...base, model: { family, head: "causal", ...more } }) as const satisfies Partial<Case>
const classes = (family: DecoderFamily, more: Partial<Case["model"]> = {}) =>
  ({
    ...base,
    model: { family, head: "classification", ...more },
    rows: [[17, 23, 9, 17]],
    labels: "class",
  }) as const satisfies Partial<Case>

const lora = { r: 8, lora_alpha: 8, target_modules: "all-linear", init_lora_weights: false } as const
const ia3 = {
  peft_type: "IA3",
  target_modules: ["k_proj", "v_proj", "down_proj"],
  feedforward_modules: ["down_proj"],
  init_ia3_weights: false,
} as const
const virtual = { num_virtual_tokens: 5 } as const

/** A window that is shorter than most rows. Keys of a prefix stay visible in it here, and slide out there. */
const window = 5

/** Each method on a family. */
const methods = (family: DecoderFamily, more: Partial<Case["model"]> = {}, seed = 6): ReadonlyArray<Case> => {
  // Frozen small weights leave few numbers and virtual tokens little to learn.
  const large = { ...causal(family, { ...more, std: 0.2 }), labels: "completion" } as const
  const { window: _, ...wide } = large.model
  return [
    { ...causal(family, { ...more, seed }), name: `${family}-full` },
    { ...causal(family, more), name: `${family}-lora`, lora },
    { ...causal(family, more), name: `${family}-dora`, lora: { ...lora, use_dora: true } },
    { ...large, name: `${family}-ia3`, ia3 },
    { ...large, name: `${family}-prefix`, model: wide, prompt: { ...virtual, peft_type: "PREFIX_TUNING" } },
    {
      ...large,
      // Few tokens, so that 20 steps teach something.
      rows: [[9, 11]],
      name: `${family}-prompt`,
      prompt: { ...virtual, peft_type: "PROMPT_TUNING", prompt_tuning_init: "SAMPLE_VOCAB" },
    },
    {
      ...large,
      name: `${family}-p-tuning`,
      prompt: {
        ...virtual,
        peft_type: "P_TUNING",
        encoder_reparameterization_type: "MLP",
        encoder_hidden_size: 24,
      },
    },
  ]
}

/** Cases that are trained. */
export const decodersTrained: ReadonlyArray<Case> = [
  ...methods("gemma3", { window }, 2),
  { ...classes("gemma3", { window }), name: "gemma3-lora-classification", lora },
  { ...classes("gemma3", { window, seed: 2 }), name: "gemma3-full-classification" },
  // Before version 5 the model scales rows of methods, too.
  ...methods("gemma2", { window }).filter(({ prompt }) => prompt === undefined || prompt.peft_type === "PREFIX_TUNING"),
  { ...classes("gemma2", { window }), name: "gemma2-lora-classification", lora },
  { ...causal("vaultgemma", { window, seed: 6 }), name: "vaultgemma-full" },
  { ...causal("vaultgemma", { window }), name: "vaultgemma-lora", lora },
  ...methods("smollm3"),
  { ...classes("smollm3", { window }), name: "smollm3-lora-classification", lora },
  ...methods("granite"),
  { ...causal("granite-dense", { seed: 6 }), name: "granite-dense-full" },
  { ...causal("granite-dense"), name: "granite-dense-lora", lora },
]

/** Wrong runs: of which case, what they are called, what is wrong. */
export const decodersControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["gemma3-lora", "gemma3-scaling", { lora: { ...lora, lora_alpha: 16 } }],
  ["gemma3-p-tuning", "gemma3-p-tuning-rate", { training: { ...base.training, learningRate: 2e-2 } }],
  ["smollm3-full", "smollm3-idle", { training: { ...base.training, learningRate: 0 } }],
  ["granite-dora", "granite-dora-off", { lora }],
]
