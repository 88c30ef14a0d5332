/**
 * The conformance cases of bottleneck adapters, beside AdapterHub's package.
 * @module
 */
import type { Case } from "./cases.ts"

/** AdapterHub's config of one adapter, in its own spelling, over a preset. */
export interface AdapterFields {
  readonly preset: "seq_bn" | "double_seq_bn" | "par_bn"
  readonly reduction_factor?: number | Readonly<Record<string, number>>
  readonly non_linearity?: string
  readonly original_ln_before?: boolean
  readonly original_ln_after?: boolean
  readonly residual_before_ln?: boolean | "post_add"
  readonly ln_after?: boolean
  readonly scaling?: number | "learned" | "channel"
  readonly leave_out?: ReadonlyArray<number>
  readonly init_weights?: "bert" | "mam_adapter"
}

/** AdapterHub's serialized block. */
export interface SetupBlock {
  readonly type: "single" | "Stack" | "Fuse"
  readonly children: ReadonlyArray<string | SetupBlock>
}

/** The adapters of a case. */
export interface AdaptersOptions {
  /** By name; one that is alone is called `default`. */
  readonly configs: Readonly<Record<string, AdapterFields>>
  /** How several are put together. */
  readonly setup?: SetupBlock
  /** Kind of fusion, where the setup is one. */
  readonly fusion?: "dynamic" | "static"
  /** Whether new tensors are moved, so that all have gradients from the first step. Default true. */
  readonly shaken?: boolean
}

const training = { steps: 20, learningRate: 1e-2, weightDecay: 0 }
const single = (child: string): SetupBlock => ({ type: "single", children: [child] })
const one = (fields: AdapterFields): AdaptersOptions => ({ configs: { default: { reduction_factor: 4, ...fields } } })
const classes = (family: "bert" | "distilbert" | "llama") =>
  ({
    kind: "train",
    model: { family, head: "classification" },
    rows: [[17, 23, 9, 17]],
    labels: "class",
    training,
  }) as const satisfies Partial<Case>
const causal = {
  kind: "train",
  model: { family: "llama", head: "causal" },
  // Few tokens, so that 20 steps teach something whatever the preset.
  rows: [[9, 11]],
  labels: "all",
  training,
} as const satisfies Partial<Case>
const PRESETS = ["seq_bn", "double_seq_bn", "par_bn"] as const
const several = (type: "Stack" | "Fuse", fusion?: AdaptersOptions["fusion"]): AdaptersOptions => ({
  configs: {
    a: { preset: "seq_bn", reduction_factor: 4 },
    b: { preset: "seq_bn", reduction_factor: 8, non_linearity: "gelu" },
  },
  setup: { type, children: [single("a"), single("b")] },
  ...(fusion === undefined ? {} : { fusion }),
})
/** The key's bias adds the same to all scores of a fusion. */
const noGradient = ["key.bias"]

/** Cases that are trained. */
export const adaptersTrained: ReadonlyArray<Case> = [
  ...PRESETS.flatMap((preset): ReadonlyArray<Case> => [
    { ...classes("bert"), name: `adapters-bert-${preset}`, adapters: one({ preset }) },
    { ...classes("llama"), name: `adapters-llama-${preset}-classification`, adapters: one({ preset }) },
    { ...causal, name: `adapters-llama-${preset}`, adapters: one({ preset, reduction_factor: 1 }) },
  ]),
  {
    ...classes("distilbert"),
    name: "adapters-distilbert-double_seq_bn",
    adapters: one({ preset: "double_seq_bn" }),
  },
  { ...causal, name: "adapters-default-init", adapters: { ...one({ preset: "par_bn" }), shaken: false } },
  {
    ...classes("bert"),
    name: "adapters-fields",
    adapters: one({
      preset: "double_seq_bn",
      reduction_factor: { "0": 2, default: 8 },
      non_linearity: "gelu",
      original_ln_before: true,
      residual_before_ln: "post_add",
      ln_after: true,
      scaling: "channel",
    }),
  },
  {
    ...classes("bert"),
    name: "adapters-ends",
    adapters: one({
      preset: "seq_bn",
      non_linearity: "tanh",
      original_ln_after: false,
      residual_before_ln: false,
      scaling: "learned",
      leave_out: [1],
    }),
  },
  { ...classes("bert"), name: "adapters-stack", adapters: several("Stack") },
  { ...classes("bert"), name: "adapters-fuse", adapters: several("Fuse", "dynamic"), noGradient },
  { ...classes("bert"), name: "adapters-fuse-static", adapters: several("Fuse", "static"), noGradient },
  { ...classes("llama"), name: "adapters-fuse-llama", adapters: several("Fuse", "dynamic"), noGradient },
]

/** The wrong runs that must be told apart, by the case that each must not agree with. */
export const adaptersControls: ReadonlyArray<readonly [of: string, name: string, change: Partial<Case>]> = [
  ["adapters-bert-seq_bn", "adapters-scaling", { adapters: one({ preset: "seq_bn", scaling: 2 }) }],
  ["adapters-bert-seq_bn", "adapters-norm", { adapters: one({ preset: "seq_bn", original_ln_before: false }) }],
  ["adapters-llama-par_bn", "adapters-idle", { training: { ...training, learningRate: 0 } }],
  ["adapters-fuse", "adapters-fuse-static", { adapters: several("Fuse", "static") }],
  ["adapters-fuse", "adapters-stack", { adapters: several("Stack") }],
]
