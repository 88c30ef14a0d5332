import type * as Effect from "effect/Effect"
import type { TrainEvent } from "../contracts/train_event.ts"
import type { Data } from "../data/data.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import { TOKENIZER } from "../inference/tokenizer_option.ts"
import { OBJECT, wrongArgument } from "../options/argument.ts"
import { faultsOf, mustBe, withDefaults } from "../options/check.ts"
import type { Field, OptionTable, Resolved } from "../options/field.ts"
import * as field from "../options/fields.ts"
import { adamW } from "./optimizers/adamw.ts"
import type { Optimizer } from "./optimizers/optimizer.ts"
import type { Schedule } from "./optimizers/schedule.ts"
import { sgd } from "./optimizers/sgd.ts"
import { TrainingError } from "./training_error.ts"

/** At the end of each epoch, never, or every N steps. */
export type Cadence = "epoch" | "never" | number

/** When to stop before the end. */
export interface EarlyStopping {
  /** Stop after this many evaluations without progress. Default: never stop early, only restore the best weights. */
  readonly patience?: number
  /** Metric of the validation split, one of the task's. Default `"loss"`. */
  readonly metric?: string
  /** Minimum change that counts as progress. Default 0. */
  readonly minDelta?: number
}

/** Options of a training run, with the names and defaults of transformers where it has them. */
export interface TrainOptions {
  /** Passes over the data. Default 3. */
  readonly epochs?: number
  /** Number of steps, over as many epochs as needed. Default: given by `epochs`. */
  readonly maxSteps?: number
  /** Examples per micro-batch. Default 8. */
  readonly batchSize?: number
  /** Micro-batches per step, weighted as one large batch. Default 1. */
  readonly gradientAccumulationSteps?: number
  /** Highest learning rate. Default 5e-5. */
  readonly learningRate?: number
  /** `"adamw"`, `"sgd"`, or an own optimizer. Default `"adamw"`. */
  readonly optimizer?: "adamw" | "sgd" | Optimizer
  /** Schedule of the learning rate after the warm-up. Default `"linear"`. */
  readonly schedule?: Schedule
  /** Steps in which the learning rate rises from 0. Default 0. */
  readonly warmupSteps?: number
  /** Warm-up as a share of all steps, [0, 1], unless `warmupSteps` is given. Default 0. */
  readonly warmupRatio?: number
  /** Weight decay, except for biases and norms. Default 0. */
  readonly weightDecay?: number
  /** Maximum global norm of the gradient; 0 turns clipping off. Default 1. */
  readonly maxGradNorm?: number
  /** Keep only the inputs of the model's blocks and recompute the rest: a third more work (Chen et al. 2016). Default false. */
  readonly gradientCheckpointing?: boolean
  /** Seed of the order of examples and of dropout. Default 42. */
  readonly seed?: number
  /** Maximum tokens per example; longer texts are cut. Default: the model's positions, and a longer text is an error. */
  readonly maxLength?: number
  /** Join texts for language modelling and cut them into blocks of `maxLength` tokens. Default false. */
  readonly packing?: boolean
  /**
   * Concatenate the examples of a micro-batch in one row without padding, and balance micro-batches by tokens; otherwise
   * each example has a row, and rows of similar length are batched. Losses and gradients of a batch do not depend on it.
   * Micro-batches above 4,096 tokens or with rows of one length keep their rows. Default: true if the model and its
   * methods allow it and micro-batches have up to 3,072 tokens on average; `true` fails if it is not possible.
   */
  readonly paddingFree?: boolean
  /** Prompts with completions: learn only the completion. Default true. */
  readonly completionOnly?: boolean
  /** When the validation split is evaluated. Default `"epoch"`. */
  readonly evaluateEvery?: Cadence
  /** When to stop early. Default: never. The best weights are restored in any case. */
  readonly earlyStopping?: EarlyStopping
  /**
   * Old rows by name, on which the model is judged before the first step and after the last: what it forgets. Some
   * methods read them before the first step. A model of one task takes any names, of a model of several they are tasks. Each
   * costs two evaluations. Default: none.
   */
  readonly retain?: Readonly<Record<string, Data>>
  /** Folder of configuration, events and checkpoints. Default: none is written. */
  readonly runFolder?: string
  /** When a checkpoint is written, besides those of the best weights and of the end. Default `"epoch"`. */
  readonly saveEvery?: Cadence
  /** Resume the run in the run folder. Default false. */
  readonly resume?: boolean
  /** Further settings, such as options of plugins: kept in `config.json` and compared on resume. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
  /**
   * Time each kernel call of a step: this one (from 1 at the start or resume), or the first after it with warm programs. A
   * message has a table of them, `trace.json` in the run folder a Chrome trace. Steps until then are slower, with the same
   * results. Default: none.
   */
  readonly traceStep?: number
  /** Receives every event. */
  readonly observe?: (event: TrainEvent) => Effect.Effect<void>
}

/** Options without a default value. */
type Open =
  | "maxSteps"
  | "maxLength"
  | "paddingFree"
  | "earlyStopping"
  | "retain"
  | "runFolder"
  | "observe"
  | "warmupSteps"
  | "tokenizer"
  | "config"
  | "traceStep"

/** Options with their defaults. */
export interface FullOptions extends Omit<Resolved<TrainOptions, Open>, "optimizer"> {
  readonly optimizer: Optimizer
}

const OPTIMIZERS = { adamw: adamW, sgd }
const optimizer = field.choice(["adamw", "sgd"], {})
const cadence = field.anyOf([field.choice(["epoch", "never"], {}), field.integer({ minimum: 1 })], {
  wanted: '"epoch", "never" or a number of steps',
})
const flag = field.boolean({ default: false })
const object = field.opaque<object>()({
  faults: (value, at) => typeof value === "object" && value !== null ? [] : [mustBe(at, "an object", value)],
})

/** {@link TrainOptions} as a table. */
export const TRAIN_OPTIONS: OptionTable<TrainOptions, Open> = {
  epochs: field.integer({ minimum: 1, default: 3, doc: "Passes over the data" }),
  maxSteps: field.integer({ minimum: 1, absent: "given by epochs", doc: "Number of steps" }),
  batchSize: field.integer({ minimum: 1, default: 8, doc: "Examples per micro-batch" }),
  gradientAccumulationSteps: field.integer({ minimum: 1, default: 1, doc: "Micro-batches per step" }),
  learningRate: field.number({ minimum: 0, default: 5e-5, doc: "Highest learning rate" }),
  optimizer: field.anyOf([optimizer, object as Field<Optimizer>], {
    default: "adamw",
    wanted: '"adamw", "sgd" or an optimizer',
    doc: "Optimizer",
  }),
  schedule: field.choice(["linear", "cosine", "constant"], {
    default: "linear",
    doc: "Schedule of the learning rate after the warm-up",
  }),
  warmupSteps: field.integer({ minimum: 0, doc: "Warm-up steps, instead of a share of all steps" }),
  warmupRatio: field.number({
    minimum: 0,
    maximum: 1,
    default: 0,
    doc: "Share of the steps used for warm-up",
  }),
  weightDecay: field.number({ minimum: 0, default: 0, doc: "Weight decay" }),
  maxGradNorm: field.number({ minimum: 0, default: 1, doc: "Greatest norm of the gradient; 0: no clipping" }),
  gradientCheckpointing: { ...flag, doc: "Less memory, a third more work" },
  seed: field.integer({ minimum: 0, default: 42, doc: "Seed of the order of examples and of dropout" }),
  maxLength: field.integer({
    minimum: 2,
    absent: "the model's positions",
    doc: "Maximum tokens per example; longer texts are cut",
  }),
  packing: { ...flag, doc: "Join texts and cut them into blocks of maxLength tokens" },
  paddingFree: field.boolean({
    absent: "wherever the model and its methods can",
    doc: "Examples of a micro-batch in one row, without padding",
  }),
  completionOnly: field.boolean({ default: true, doc: "Prompts with completions: learn the completion alone" }),
  evaluateEvery: { ...cadence, default: "epoch", doc: "When the validation split is evaluated" },
  earlyStopping: field.record<EarlyStopping>()({
    patience: field.integer({ minimum: 1, absent: "never", doc: "Stop after this many evaluations without progress" }),
    metric: field.text({ absent: "loss", doc: "Metric of the validation split that is watched" }),
    minDelta: field.number({ absent: "0", doc: "Change that counts as progress" }),
  }, { doc: "When to stop before the end" }),
  retain: object as Field<object> as Field<Readonly<Record<string, Data>>>,
  runFolder: field.text({ doc: "Folder of configuration, events and checkpoints" }),
  saveEvery: { ...cadence, default: "epoch", doc: "When a checkpoint is written" },
  resume: { ...flag, doc: "Resume the run in the run folder" },
  config: object as Field<object> as Field<Readonly<Record<string, unknown>>>,
  tokenizer: TOKENIZER,
  traceStep: field.integer({ minimum: 1, absent: "none", doc: "Step whose kernels are timed" }),
  observe: field.opaque<Required<TrainOptions>["observe"]>()({
    faults: (value, at) => typeof value === "function" ? [] : [mustBe(at, "a function", value)],
  }),
}

/** Checks options and fills in defaults. Throws a {@link TrainingError} that names every wrong one. */
export function fullOptions(options: TrainOptions): FullOptions {
  const wrong = wrongArgument("options", options, OBJECT)
  if (wrong !== undefined) throw new TrainingError({ reason: "Options", message: wrong })
  const faults = faultsOf(TRAIN_OPTIONS, options).map(({ message }) => message)
  const full = withDefaults(TRAIN_OPTIONS, options)
  if (full.resume && full.runFolder === undefined) faults.push("resume needs a runFolder")
  if (full.packing && full.maxLength === undefined) faults.push("packing needs a maxLength: the length of a block")
  if (full.earlyStopping?.patience !== undefined && full.evaluateEvery === "never") {
    faults.push('earlyStopping.patience counts evaluations, and evaluateEvery is "never": change one of them')
  }
  if (faults.length > 0) throw new TrainingError({ reason: "Options", message: faults.join("; ") })
  const { optimizer } = full
  return { ...full, optimizer: typeof optimizer === "string" ? OPTIMIZERS[optimizer]() : optimizer }
}
