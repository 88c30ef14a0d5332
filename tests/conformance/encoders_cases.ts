/**
 * The conformance cases of encoders beside BERT, and of Ettin's decoders.
 * @module
 */
import type { AdaptersOptions } from "./adapters_cases.ts"
import type { Case, LoraOptions, PromptOptions } from "./cases.ts"
import type { IA3Options } from "./ia3_cases.ts"

/** Encoders beside BERT, and Ettin's decoders. */
export type EncoderFamily =
  | "modernbert"
  | "modernbert-decoder"
  | "roberta"
  | "xlm-roberta"
  | "camembert"
  | "mpnet"
  | "eurobert"
type Family = EncoderFamily
type Head = Exclude<Case["model"]["head"], "seq2seq">

const training = { steps: 20, learningRate: 1e-2, weightDecay: 0 }

/** What cases of a family and a head have alike. */
const of = (family: Family, head: Head, more: Partial<Case["model"]> = {}) =>
  ({
    kind: "train",
    model: { family, head, ...more },
    rows: head === "causal" ? [[17, 23, 9, 31]] : [[17, 23, 9, 17]],
    labels: head === "classification" ? "class" : head === "causal" ? "all" : head,
    training,
    // Without rotation the bias of keys moves a row's scores alike.
    noGradient: ["attention.self.key.bias", "attention.attn.k.bias"],
  }) as const satisfies Partial<Case>

const lora = (options: Partial<LoraOptions> = {}): LoraOptions => ({
  r: 4,
  lora_alpha: 8,
  target_modules: "all-linear",
  init_lora_weights: false,
  ...options,
})
const ia3 = (target_modules: ReadonlyArray<string>, feedforward_modules: ReadonlyArray<string>): IA3Options => ({
  peft_type: "IA3",
  target_modules,
  feedforward_modules,
  init_ia3_weights: false,
})
const virtual = (peft_type: PromptOptions["peft_type"], options: Partial<PromptOptions> = {}): PromptOptions => ({
  peft_type,
  num_virtual_tokens: 5,
  ...options,
})
const prefix = virtual("PREFIX_TUNING")
const prompt = virtual("PROMPT_TUNING", { prompt_tuning_init: "SAMPLE_VOCAB" })
const pTuning = virtual("P_TUNING", { encoder_reparameterization_type: "MLP", encoder_hidden_size: 24 })
const adapter = (preset: "seq_bn" | "double_seq_bn" | "par_bn"): AdaptersOptions => ({
  configs: { default: { preset, reduction_factor: 4 } },
})
/** Frozen weights as large as give a few trained numbers something to learn. */
const large = { std: 0.2 }

/** All methods of a family. */
const methodsOf = (
  family: Family,
  { targets, rescaled, since = 0 }: {
    readonly targets: ReadonlyArray<string>
    readonly rescaled: IA3Options
    readonly since?: number
  },
): ReadonlyArray<Case> => {
  const named = (name: string, one: Omit<Case, "name">): Case => ({ ...one, name: `${family}-${name}`, since })
  return [
    named("full-classification", of(family, "classification")),
    named("full-tokens", of(family, "tokens")),
    named("full-masked", of(family, "masked")),
    named("lora-classification", { ...of(family, "classification"), lora: lora({ target_modules: targets }) }),
    named("lora-all-linear", { ...of(family, "classification"), lora: lora() }),
    named("lora-tokens", { ...of(family, "tokens"), lora: lora({ target_modules: targets }) }),
    named("lora-masked", { ...of(family, "masked"), lora: lora() }),
    named("dora-classification", { ...of(family, "classification"), lora: lora({ use_dora: true }) }),
    named("ia3-classification", { ...of(family, "classification", large), ia3: rescaled }),
    named("prompt-classification", { ...of(family, "classification", large), prompt }),
    named("p-tuning-classification", { ...of(family, "classification", large), prompt: pTuning }),
  ]
}
const adaptersOf = (family: Family): ReadonlyArray<Case> =>
  (["seq_bn", "double_seq_bn", "par_bn"] as const).map((preset) => ({
    ...of(family, "classification"),
    name: `${family}-adapters-${preset}`,
    adapters: adapter(preset),
  }))

const bertRescaled = ia3(["key", "value", "output.dense"], ["output.dense"])
const modernRescaled = ia3(["Wqkv", "mlp.Wo"], ["mlp.Wo"])
const decoder = of("modernbert-decoder", "causal")

/** Cases that are trained. */
export const encodersTrained: ReadonlyArray<Case> = [
  ...methodsOf("modernbert", { targets: ["Wqkv"], rescaled: modernRescaled }),
  ...adaptersOf("modernbert"),
  { ...of("modernbert", "classification", { pooling: "mean" }), name: "modernbert-mean", lora: lora() },
  {
    ...of("modernbert", "classification", { pooling: "mean", ...large }),
    name: "modernbert-mean-prompt",
    prompt,
  },
  { ...decoder, name: "modernbert-decoder-full" },
  { ...decoder, name: "modernbert-decoder-lora", lora: lora() },
  { ...of("modernbert-decoder", "classification"), name: "modernbert-decoder-classification", lora: lora() },
  ...methodsOf("roberta", { targets: ["query", "value"], rescaled: bertRescaled }),
  ...adaptersOf("roberta"),
  { ...of("roberta", "tokens"), name: "roberta-prefix-tokens", prompt: prefix },
  ...(["xlm-roberta", "camembert"] as const).flatMap((family): ReadonlyArray<Case> => [
    { ...of(family, "classification"), name: `${family}-lora-classification`, lora: lora() },
    { ...of(family, "tokens"), name: `${family}-full-tokens` },
    { ...of(family, "masked"), name: `${family}-full-masked` },
  ]),
  ...adaptersOf("xlm-roberta"),
]

const texts = [
  "The gardener ties young pear branches to a frame.",
  "rain fell on the orchard, then the sun came out",
  "Which tree bears fruit in its third year?",
]

/** Cases that are computed alone. */
export const encodersRead: ReadonlyArray<Case> = (["modernbert", "roberta", "xlm-roberta"] as const).map((family) => ({
  ...of(family, "masked"),
  name: `${family}-embeddings`,
  kind: "embeddings",
  texts,
}))

/** The wrong runs that must be told apart, by the case that each must not agree with. */
export const encodersControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["modernbert-lora-all-linear", "modernbert-scaling", { lora: lora({ lora_alpha: 4 }) }],
  ["modernbert-full-masked", "modernbert-idle", { training: { ...training, learningRate: 0 } }],
  ["roberta-lora-classification", "roberta-scaling", {
    lora: lora({ target_modules: ["query", "value"], lora_alpha: 4 }),
  }],
  ["roberta-full-masked", "roberta-idle", { training: { ...training, learningRate: 0 } }],
  ["modernbert-embeddings", "modernbert-other-texts", { texts: texts.map((text) => text.replace("the", "a")) }],
]
