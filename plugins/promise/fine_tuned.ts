import type { Metrics, TrainStop } from "../../core/contracts/train_event.ts"
import type { Prediction } from "../../core/tasks/task.ts"
import type { GenerateOptions } from "../../core/inference/generate.ts"
import type { EmbedOptions } from "../../core/training/embed.ts"
import type { EvaluateOptions } from "../../core/training/evaluate.ts"
import type { Forecast } from "../../core/training/forecast.ts"
import type { RunAccount } from "../../core/training/run_folder/run.ts"

/** Which task's head answers. */
export interface OfTask {
  /** Name of the task, where the run has several. Default: the first. */
  readonly task?: string
}

/** A fine-tuned model with the figures of its run. It holds memory and threads until `close`. */
export interface FineTuned extends RunAccount {
  /** Why the run ended: all steps done, or no progress on the validation rows. */
  readonly reason: TrainStop["reason"]
  /**
   * Metrics before training on the rows that judge the model: those of the test, else of the validation, else of the
   * training. Of several tasks the names are `<task>.<metric>`.
   */
  readonly before: Metrics
  /** The same after training. */
  readonly after: Metrics
  /** Bytes that were forecast. */
  readonly memory: Forecast
  /** The run folder. */
  readonly folder: string
  /** Folder of the adapter, or of the whole model where all of it was trained. */
  readonly adapter: string
  /** The report page. */
  readonly report: string
  /** Answers of a classifier or of a model of scores, one a text. Longer texts are cut to the run's `maxLength`. */
  readonly predict: (
    texts: ReadonlyArray<string>,
    options?: EvaluateOptions & OfTask,
  ) => Promise<ReadonlyArray<Prediction>>
  /** Continues a prompt, or several at once, with a causal language model. */
  readonly generate: {
    (prompt: string, options?: GenerateOptions & OfTask): Promise<string>
    (prompts: ReadonlyArray<string>, options?: GenerateOptions & OfTask): Promise<ReadonlyArray<string>>
  }
  /** Embeddings [hiddenSize] of texts: the mean of their last hidden states. Longer texts are cut to the run's `maxLength`. */
  readonly embed: (
    texts: ReadonlyArray<string>,
    options?: EmbedOptions & OfTask,
  ) => Promise<ReadonlyArray<Float32Array>>
  /** Saves what the run saved once more, into a new or empty directory. */
  readonly save: (directory: string) => Promise<void>
  /** Frees memory and threads. Later calls of the others reject. */
  readonly close: () => Promise<void>
}
