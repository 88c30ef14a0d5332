/**
 * Random runs: a model, its tasks, methods, what changes data, loss and gradients, and options of training.
 * @module
 */
import type { Rng } from "../../../core/tensor/operations/random.ts"
import type { TrainOptions } from "../../../core/training/options.ts"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import * as Curriculum from "../../../plugins/curriculum/mod.ts"
import * as DifferentialPrivacy from "../../../plugins/differential_privacy/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as Multitask from "../../../plugins/multitask/mod.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import * as Replay from "../../../plugins/replay/mod.ts"

/** Names of tasks in a run. */
export type TaskName = "topic" | "size" | "tags" | "marks" | "text"

/** A plugin with its options. */
export interface Part {
  readonly plugin: keyof typeof PLUGINS
  readonly options: Readonly<Record<string, unknown>>
  /** Tasks that it is for. Default: all. */
  readonly tasks?: ReadonlyArray<TaskName>
}

/** A run. */
export interface Composition {
  readonly base: "espalier-1m" | "bert" | "llama"
  readonly weights: "stored" | "f32" | "bf16" | "f16"
  /** One: a model of one task without a name. */
  readonly tasks: ReadonlyArray<TaskName>
  readonly parts: ReadonlyArray<Part>
  readonly training: TrainOptions
}

/** Layers by the names of {@link Part.plugin}. */
export const PLUGINS = {
  lora: Lora.layer,
  adapters: Adapters.layer,
  compose: ({ name, setup }: { readonly name: string; readonly setup: Adapters.AdapterSetup }) =>
    Adapters.compose(setup, { name }),
  prefix: PrefixTuning.layer,
  prompt: PromptTuning.layer,
  multitask: Multitask.layer,
  curriculum: Curriculum.layer,
  distill: Replay.distill,
  privacy: DifferentialPrivacy.layer,
}

const oneOf = (rng: Rng) => <A>(values: ReadonlyArray<A>): A => values[rng.int(values.length)]

/** Methods that add parameters, by what draws their options. */
const METHODS: ReadonlyArray<(rng: Rng, name: string) => Part> = [
  (rng, name) => {
    const one = oneOf(rng)
    const options = {
      name,
      r: one([1, 2]),
      loraDropout: one([0, 0.2]),
      useRslora: one([false, true]),
      useDora: one([false, true]),
      initLoraWeights: one([true, false, "gaussian", "pissa", "olora", "orthogonal"]),
      bias: one(["none", "none", "lora_only", "all"]),
      ...one([{}, { targetModules: "all-linear" }]),
      ...one([{}, {}, { loraPlusLrRatio: 4 }]),
    }
    return { plugin: "lora", options: options.initLoraWeights === "orthogonal" ? { ...options, r: 2 } : options }
  },
  (rng, name) => {
    const one = oneOf(rng)
    const config = one(["seq_bn", "double_seq_bn", "par_bn", "scaled_par_bn"])
    return { plugin: "adapters", options: { name, config, reductionFactor: 4, dropout: one([0, 0.2]) } }
  },
  (rng, name) => {
    const same = { config: oneOf(rng)(["seq_bn", "double_seq_bn"] as const), reductionFactor: 4 }
    const members = [{ name: `${name}x`, ...same }, { name: `${name}y`, ...same, nonLinearity: "tanh" }] as const
    const setup = oneOf(rng)([Adapters.average(members, [1, 2]), Adapters.fuse(members), Adapters.stack(...members)])
    return { plugin: "compose", options: { name, setup } }
  },
  (rng, name) => {
    const start = oneOf(rng)([{ prefixProjection: true, encoderHiddenSize: 3 }, { initText: [3, 1] }, {}])
    return { plugin: "prefix", options: { name, numVirtualTokens: oneOf(rng)([1, 2]), ...start } }
  },
  (rng, name) => {
    const start = oneOf(rng)([
      { encoderReparameterizationType: "MLP", encoderHiddenSize: 3 },
      { promptTuningInitText: [3, 1] },
      { promptTuningInit: "RANDOM" },
      {},
    ])
    return { plugin: "prompt", options: { name, numVirtualTokens: oneOf(rng)([1, 2]), ...start } }
  },
]

function drawTasks(rng: Rng, base: Composition["base"]): ReadonlyArray<TaskName> {
  const all: ReadonlyArray<TaskName> = base === "bert"
    ? ["topic", "size", "tags", "marks"]
    : ["topic", "size", "tags", "marks", "text"]
  return rng.shuffle(all).slice(0, rng.int(2) === 0 ? 1 : 2 + rng.int(2))
}

function drawMultitask(rng: Rng, tasks: ReadonlyArray<TaskName>): Part {
  const one = oneOf(rng)
  const mixing = one(["proportional", "temperature", "equal", "none"])
  const gradientSurgery = one(["none", "pcgrad"])
  return {
    plugin: "multitask",
    options: {
      mixing,
      ...mixing === "temperature" ? { temperature: one([1, 3]) } : {},
      ...mixing === "none" ? {} : one([{}, { partsPerStep: 2 }]),
      lossWeights: one<unknown>([{}, "uncertainty", { [tasks[0]]: 0.5 }]),
      gradientSurgery,
    },
  }
}

/** Draws a run. */
export function draw(rng: Rng): Composition {
  const one = oneOf(rng)
  const base = one(["espalier-1m", "bert", "llama"] as const)
  const tasks = drawTasks(rng, base)
  const named = tasks.length > 1
  const names = ["default", "a", "b", "c"]
  const methods = rng.shuffle([...METHODS, ...METHODS]).slice(0, rng.int(4)).map((make, i): Part => {
    const part = make(rng, names[i])
    return named && rng.int(4) === 0 ? { ...part, tasks: [tasks[rng.int(tasks.length)]] } : part
  })
  const chance = (of: number) => rng.int(of) === 0
  const isPrivate = chance(4)
  const clipping = one(["flat", "per-layer", "adaptive"])
  // That of the norms' quantile takes a part of the noise: it must be small beside the examples of a step.
  const noiseMultiplier = clipping === "adaptive" ? 0.05 : one([0.5, 2])
  const dp = { delta: 1e-3, accountant: "rdp", noiseMultiplier, clipping }
  const curriculum = {
    difficulty: one<unknown>(["length", "rarity", { column: "grade" }, "feedback"]),
    order: one(["easy", "hard"]),
    pacing: one(["linear", "root", "step", "competence"]),
    start: 0.3,
  }
  return {
    base,
    weights: one(["stored", "f32", "bf16", "f16"] as const),
    tasks,
    parts: [
      ...methods,
      ...named && !chance(3) ? [drawMultitask(rng, tasks)] : [],
      ...chance(isPrivate ? 6 : 3) ? [{ plugin: "curriculum", options: curriculum } as const] : [],
      ...chance(4) ? [{ plugin: "distill", options: { weight: 0.5, temperature: one([1, 2]) } } as const] : [],
      ...isPrivate ? [{ plugin: "privacy", options: dp } as const] : [],
    ],
    training: {
      maxSteps: 3,
      learningRate: 1e-2,
      maxLength: 16,
      batchSize: one([1, 2, 3]),
      gradientAccumulationSteps: one([1, 1, 2]),
      optimizer: one(["adamw", "sgd"]),
      schedule: one(["linear", "cosine", "constant"]),
      weightDecay: one([0, 0.1]),
      gradientCheckpointing: chance(4),
      packing: chance(8),
      ...one([{}, {}, { paddingFree: false }]),
    },
  }
}
