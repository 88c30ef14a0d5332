import type * as Effect from "effect/Effect"
import type { TrainEvent } from "../contracts/train_event.ts"
import { adamW } from "./adamw.ts"
import type { Tokenizer } from "../data/tokenizer.ts"
import type { Optimizer } from "./optimizer.ts"
import type { Schedule } from "./schedule.ts"
import { sgd } from "./sgd.ts"
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

/** Options with their defaults. */
export interface FullOptions extends Required<Omit<TrainOptions, Optional>>, Pick<TrainOptions, Optional> {
  readonly optimizer: Optimizer
}
type Optional =
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

const known = new Set<string>(
  [
    ..."epochs maxSteps batchSize gradientAccumulationSteps learningRate optimizer schedule warmupSteps".split(" "),
    ..."warmupRatio weightDecay maxGradNorm seed maxLength packing completionOnly evaluateEvery".split(" "),
    ..."earlyStopping runFolder saveEvery resume observe tokenizer config traceStep gradientCheckpointing paddingFree"
      .split(" "),
  ],
)

/** Checks options and fills in defaults. Throws a {@link TrainingError} that names every wrong one. */
export function fullOptions(options: TrainOptions): FullOptions {
  const full = {
    epochs: 3,
    batchSize: 8,
    gradientAccumulationSteps: 1,
    learningRate: 5e-5,
    schedule: "linear" as const,
    warmupRatio: 0,
    weightDecay: 0,
    maxGradNorm: 1,
    seed: 42,
    packing: false,
    gradientCheckpointing: false,
    completionOnly: true,
    evaluateEvery: "epoch" as const,
    saveEvery: "epoch" as const,
    resume: false,
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as TrainOptions,
  }
  const problems = Object.keys(options).filter((name) => !known.has(name)).map((name) => `there is no option "${name}"`)
  const check = (name: keyof TrainOptions, fits: (value: number) => boolean, wanted: string) => {
    const value: unknown = full[name]
    if (value === undefined || (typeof value === "number" && fits(value))) return
    problems.push(`${name} must be ${wanted}, got ${JSON.stringify(value) ?? value}`)
  }
  const whole = (least: number) => (value: number) => Number.isSafeInteger(value) && value >= least
  for (const name of ["maxSteps", "batchSize", "gradientAccumulationSteps", "traceStep"] as const) {
    check(name, whole(1), "a whole number from 1")
  }
  check("maxLength", whole(2), "a whole number from 2")
  for (const name of ["warmupSteps", "seed", "epochs"] as const) check(name, whole(0), "a whole number from 0")
  const finite = (value: number) => Number.isFinite(value) && value >= 0
  for (const name of ["learningRate", "weightDecay", "maxGradNorm"] as const) check(name, finite, "a number from 0")
  check("warmupRatio", (value) => value >= 0 && value <= 1, "a number from 0 to 1")
  for (const name of ["evaluateEvery", "saveEvery"] as const) {
    const value = full[name]
    if (value !== "epoch" && value !== "never") check(name, whole(1), `"epoch", "never" or a number of steps`)
  }
  if (!["linear", "cosine", "constant"].includes(full.schedule)) {
    problems.push(`schedule must be "linear", "cosine" or "constant", got ${JSON.stringify(full.schedule)}`)
  }
  const { optimizer: given = "adamw" } = options
  const optimizer = given === "adamw" ? adamW() : given === "sgd" ? sgd() : given
  if (typeof optimizer === "string") problems.push(`optimizer must be "adamw" or "sgd", got ${JSON.stringify(given)}`)
  const { patience } = options.earlyStopping ?? {}
  if (patience !== undefined && !whole(1)(patience)) {
    problems.push(`earlyStopping.patience must be a whole number from 1, got ${patience}`)
  }
  if (full.paddingFree !== undefined && typeof full.paddingFree !== "boolean") {
    problems.push(`paddingFree must be true or false, got ${JSON.stringify(full.paddingFree)}`)
  }
  if (full.resume && full.runFolder === undefined) problems.push("resume needs a runFolder")
  if (full.packing && full.maxLength === undefined) problems.push("packing needs a maxLength: the length of a block")
  if (problems.length > 0) throw new TrainingError({ reason: "Options", message: problems.join("; ") })
  return { ...full, optimizer }
}
