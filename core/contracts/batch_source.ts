/** Rows that go through the model together. Plain data: which rows and how they are padded, not their tokens. */
export interface MicroBatch {
  /** Key into {@link BatchSource.tasks}: whose rows these are. */
  readonly task: string
  /** Row indices of the task, -1 for an empty row (weight 0) that keeps the number of shapes small. */
  readonly rows: Int32Array
  /** Tokens a row is padded to. */
  readonly length: number
}

/** One optimizer step: gradients are added up over its micro-batches. None at all is an empty (Poisson) batch. */
export interface Step {
  /** What is accumulated, in order. */
  readonly microBatches: ReadonlyArray<MicroBatch>
}

/** What came of one step. Plain JSON. */
export interface FinishedStep {
  /** Number of the step, from 1. */
  readonly step: number
  /** Mean loss; 0 for an empty step. */
  readonly loss: number
  /** Number of terms in the loss: unmasked tokens or examples. */
  readonly weight: number
  /** Global L2 norm of the gradient before clipping. */
  readonly gradientNorm: number
}

/**
 * What is drawn for training. Plugins wrap one source in another: sampling, curriculum, mixtures of tasks.
 * A source is pure: the same epoch always gives the same steps, which is what makes a resumed run equal.
 */
export interface BatchSource {
  /** Number of tokens of each row, by task. */
  readonly tasks: Readonly<Record<string, Int32Array>>
  /** Steps of an epoch, counted from 0. */
  readonly epoch: (epoch: number) => ReadonlyArray<Step>
}

/** Task name where there is only one. */
export const DEFAULT_TASK = "default"
