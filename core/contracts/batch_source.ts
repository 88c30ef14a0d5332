import type * as Effect from "effect/Effect"

/** Rows that pass through the model together: their indices and padded length, not their tokens. */
export interface MicroBatch {
  /** Task of the rows: a key of {@link BatchSource.tasks}. */
  readonly task: string
  /** Row indices of the task, -1 for an empty row (weight 0) that keeps the number of shapes small. */
  readonly rows: Int32Array
  /** Tokens a row is padded to. */
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
  /** Mean of its terms, nats: unmasked tokens, or the one label. An example without any is left out. */
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

/** State of a source of batches; checkpoints hold it. */
export interface BatchState {
  /** The state after the step that was drawn last. */
  readonly save: () => Json
  /** Goes back to a saved state. Throws an Error for a value that is none. */
  readonly restore: (state: Json) => void
}

/**
 * Draws the steps of a run, one at a time. Plugins wrap one source in another: sampling, curriculum, mixtures of tasks,
 * texts that a model has just generated.
 *
 * What is drawn may depend on position, feedback and the source's own state alone: then a resumed run is the same run.
 */
export interface BatchSource {
  /** Number of tokens of each row, by task. */
  readonly tasks: Readonly<Record<string, Int32Array>>
  /**
   * Number of steps of an epoch, counted from 0: a whole number from 1, always the same, or Infinity. It decides the
   * course of the learning rate and when an epoch ends.
   */
  readonly steps: (epoch: number) => number
  /**
   * Draws the step at a position; undefined ends the run. Called once a step, in order. State changes only where it
   * succeeds. `Effect.succeed` costs nothing; any other Effect is run between steps and may be interrupted.
   *
   * @param feedback Finished steps that the call before has not seen, in order. A step is among them two steps after it
   * was drawn, whether it finished earlier or not. A wrapper hands them on to the source inside.
   */
  readonly next: (
    position: Position,
    feedback: ReadonlyArray<FinishedStep>,
  ) => Effect.Effect<Step | undefined, Error>
  /** Default: no state. A wrapper gives its own alone: the source inside is saved on its own. */
  readonly state?: BatchState
}

/** Name of the only task of a run. */
export const DEFAULT_TASK = "default"
