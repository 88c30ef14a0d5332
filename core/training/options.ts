import type * as Effect from "effect/Effect"
import type { TrainEvent } from "../contracts/train_event.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import { faultsOf, mustBe, withDefaults } from "../options/check.ts"
import type { Field, OptionTable, Resolved } from "../options/field.ts"
import * as field from "../options/fields.ts"
import { adamW } from "./optimizers/adamw.ts"
import type { Optimizer } from "./optimizers/optimizer.ts"
import type { Schedule } from "./optimizers/schedule.ts"
import { sgd } from "./optimizers/sgd.ts"
import { TrainingError } from "./training_error.ts"

/** When something happens: at the end of each epoch, every so many steps, or not at all. */
export type Cadence = "epoch" | "never" | number

/** When to stop before the end. */
export interface EarlyStopping {
  /** Evaluations without progress after which the run stops. Default: it never does, and only gives the best weights back. */
  readonly patience?: number
  /** Metric of the validation split that is watched. Default `"loss"`. The task says which of its metrics fall and which rise. */
  readonly metric?: string
  /** Change that counts as progress. Default 0: any. */
  readonly minDelta?: number
}

/** Options of a training run. Names and defaults are those of transformers where it has them. */
export interface TrainOptions {
  /** Passes over the data. Default 3. */
  readonly epochs?: number
  /** Steps after which the run ends; it then makes as many passes as that takes. Default: as `epochs` says. */
  readonly maxSteps?: number
  /** Examples of a micro-batch. Default 8. */
  readonly batchSize?: number
  /** Micro-batches of a step; their terms weigh as in one large batch. Default 1. */
  readonly gradientAccumulationSteps?: number
  /** Highest learning rate. Default 5e-5. */
  readonly learningRate?: number
  /** `"adamw"`, `"sgd"`, or one of your own. Default `"adamw"`. */
  readonly optimizer?: "adamw" | "sgd" | Optimizer
  /** Course of the learning rate after the warm-up. Default `"linear"`. */
  readonly schedule?: Schedule
  /** Steps over which the learning rate rises from 0. Default 0. */
  readonly warmupSteps?: number
  /** The same as a share of all steps, [0, 1]; `warmupSteps` wins. Default 0. */
  readonly warmupRatio?: number
  /** Weight decay; never on biases and norms. Default 0. */
  readonly weightDecay?: number
  /** Greatest global norm of the gradient; 0 leaves it alone. Default 1. */
  readonly maxGradNorm?: number
  /**
   * Keep only what goes into each of the model's blocks for the derivative and compute the rest again: less memory, about
   * a third more work (Chen et al. 2016). Default false.
   */
  readonly gradientCheckpointing?: boolean
  /** Seed of the order of examples and of dropout. Default 42. */
  readonly seed?: number
  /**
   * Most tokens of an example; longer texts are cut at their end. Default: as many as the model has positions, and a
   * longer text is an error.
   */
  readonly maxLength?: number
  /** Texts for language modelling: joined and cut into blocks of `maxLength` tokens. Default false. */
  readonly packing?: boolean
  /**
   * Whether the examples of a micro-batch go through the model one after the other in one row, with no padding between
   * them, dealt so that micro-batches hold about the same number of tokens; else each has a row, and rows of like length
   * come together. Losses and gradients of a batch are the same either way. A micro-batch of more than 4,096 tokens, and
   * one whose rows are all of a length, keeps its rows. Default: wherever the model and its methods can and micro-batches
   * hold up to 3,072 tokens on average. True makes what stands against it an error.
   */
  readonly paddingFree?: boolean
  /** Prompts with completions: learn the completion alone. Default true. */
  readonly completionOnly?: boolean
  /** When the validation split is evaluated, where there is one. Default `"epoch"`. */
  readonly evaluateEvery?: Cadence
  /** Stops when validation makes no progress. Default: never. The best weights are restored either way. */
  readonly earlyStopping?: EarlyStopping
  /** Where the run's configuration, events and checkpoints go. Default: nowhere. */
  readonly runFolder?: string
  /** When a checkpoint is written into the run folder; best weights and the end always are. Default `"epoch"`. */
  readonly saveEvery?: Cadence
  /** Go on with the run that lies in the run folder. Default false. */
  readonly resume?: boolean
  /** What else decides the outcome (options of plugins): kept in the run folder's `config.json`, compared on resume. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
  /**
   * Times each kernel call of one step: this one, counted from 1 where the run begins or goes on, or the first after it
   * whose programs are warm, or the last. A table of it is told as a message, a Chrome trace goes to `trace.json` in the
   * run folder. Steps up to it are a little slower, and their results the same. Default: none.
   */
  readonly traceStep?: number
  /** Sees every event: progress bars, trackers. */
  readonly observe?: (event: TrainEvent) => Effect.Effect<void>
}

/** Options for which absence says something. */
type Open =
  | "maxSteps"
  | "maxLength"
  | "paddingFree"
  | "earlyStopping"
  | "runFolder"
  | "observe"
  | "warmupSteps"
  | "tokenizer"
  | "config"
  | "traceStep"

/** Options with their defaults. */
export interface FullOptions extends Omit<Resolved<TrainOptions, Open>, "optimizer"> {
  /** As in {@link TrainOptions}. */
  readonly optimizer: Optimizer
}

const OPTIMIZERS = { adamw: adamW, sgd }
const optimizer = field.choice(["adamw", "sgd"], {})
const cadence = field.anyOf([field.choice(["epoch", "never"], {}), field.integer({ minimum: 1 })], {
  wanted: '"epoch", "never" or a number of steps',
})
const flag = field.boolean({ default: false })
/** A value with methods, made by other functions of the library. */
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
  warmupSteps: field.integer({ minimum: 0, doc: "Warm-up steps; wins over warmupRatio" }),
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
  runFolder: field.text({ doc: "Folder of configuration, events and checkpoints" }),
  saveEvery: { ...cadence, default: "epoch", doc: "When a checkpoint is written" },
  resume: { ...flag, doc: "Resume the run in the run folder" },
  config: object as Field<object> as Field<Readonly<Record<string, unknown>>>,
  tokenizer: object as Field<object> as Field<Tokenizer>,
  traceStep: field.integer({ minimum: 1, absent: "none", doc: "Step whose kernels are timed" }),
  observe: field.opaque<Required<TrainOptions>["observe"]>()({
    faults: (value, at) => typeof value === "function" ? [] : [mustBe(at, "a function", value)],
  }),
}

/** Checks options and fills in defaults. Throws a {@link TrainingError} that names every wrong one. */
export function fullOptions(options: TrainOptions): FullOptions {
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
