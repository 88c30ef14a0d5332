import type * as Effect from "effect/Effect"
import type { Rng } from "../tensor/operations/random.ts"

/** Rows of one pass through the model: their indices and padded length, without their tokens. */
export interface MicroBatch {
  /** Task of the rows: a key of {@link BatchSource.tasks}. */
  readonly task: string
  /** Row indices of the task; -1 is an empty row (weight 0), which keeps the number of shapes small. */
  readonly rows: Int32Array
  /** Padded length in tokens. */
  readonly length: number
}

/** One optimizer step. Gradients accumulate over `microBatches`; an empty list is an empty (Poisson) step. */
export interface Step {
  /** Micro-batches, in order. */
  readonly microBatches: ReadonlyArray<MicroBatch>
}

/** Number of a step in a run. */
export interface Position {
  /** Epoch, from 0. */
  readonly epoch: number
  /** Step within the epoch, from 0. */
  readonly step: number
}

/** Loss of one example in a finished step. */
export interface ExampleFeedback {
  /** Task of the example. */
  readonly task: string
  /** Its row in the task. */
  readonly row: number
  /** Mean of its terms (unmasked tokens, or its label), nats. Examples without terms are not listed. */
  readonly loss: number
}

/** Result of a step. Plain JSON. */
export interface FinishedStep {
  /** Number of the step in the run, from 1. */
  readonly step: number
  /** Mean loss; 0 for an empty step. */
  readonly loss: number
  /** Number of terms in the loss: unmasked tokens or examples. */
  readonly weight: number
  /** Global L2 norm of the gradient before clipping. */
  readonly gradientNorm: number
  /** Losses by example, if a plugin `requires` `perExampleLoss`. */
  readonly examples?: ReadonlyArray<ExampleFeedback>
}

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

/** State of a source of batches, kept in checkpoints. */
export interface BatchState {
  /** The state after the last drawn step. */
  readonly save: () => Json
  /** Restores a saved state. Throws an Error if the value is not a state. */
  readonly restore: (state: Json) => void
}

/**
 * Draws the steps of a run, one at a time. Plugins wrap sources: sampling, curricula, mixtures of tasks, generated texts.
 *
 * A step may depend only on position, feedback and state; then a resumed run equals an uninterrupted one.
 */
export interface BatchSource {
  /** Number of tokens of each row, by task. */
  readonly tasks: Readonly<Record<string, Int32Array>>
  /** Steps of an epoch (from 0): a constant whole number from 1, or Infinity. Learning rate and ends of epochs follow from it. */
  readonly steps: (epoch: number) => number
  /**
   * Draws the step at a position; undefined ends the run. Called once per step, in order. A failed call must not change
   * the state. `Effect.succeed` has no cost; any other Effect runs between steps and may be interrupted.
   *
   * @param feedback Finished steps since the last call, in order. A step is always listed two steps after it was drawn. A
   * wrapper passes them to the inner source.
   */
  readonly next: (
    position: Position,
    feedback: ReadonlyArray<FinishedStep>,
  ) => Effect.Effect<Step | undefined, Error>
  /** Default: no state. A wrapper gives only its own state; the inner source is saved separately. */
  readonly state?: BatchState
}

/** An example of a run. */
export interface RunExample {
  /** Token ids, without padding. */
  readonly tokens: Int32Array
  /** Numbers of its row, by column: see `DatasetOptions.numbers`. */
  readonly numbers?: Readonly<Record<string, number>>
}

/** What a plugin's batches may use of a run. */
export interface BatchContext {
  /** Examples by task, as {@link MicroBatch.rows} counts them. None of a data set that is read while the model trains. */
  readonly examples: Readonly<Record<string, ReadonlyArray<RunExample>>>
  /** Steps of the run, if it has the epochs of `source`. */
  readonly totalSteps: (source: BatchSource) => number
  /** Random numbers from the run's seed, for this plugin alone: a stream for each whole number from 0. */
  readonly rng: (stream: number) => Rng
}

/** Name of the task of a run with one task. */
export const DEFAULT_TASK = "default"
