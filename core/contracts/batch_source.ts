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

/** Name of the only task of a run. */
export const DEFAULT_TASK = "default"
