/**
 * Events emitted by a training run, for progress bars, event logs, trackers and reports. Every event is plain JSON, and
 * every number in it is finite (a loss that is not finite stops the run).
 * @module
 */

/** Values by name of the metric: `loss`, `perplexity`, `accuracy`, `macroF1`, `matthews`, ... */
export type Metrics = Readonly<Record<string, number>>

/** The run starts or resumes. */
export interface TrainStart {
  /** Type of the event. */
  readonly type: "start"
  /** Name of the model, usually its path. */
  readonly model: string
  /** Ids of the plugins in their resolved order; empty for full fine-tuning. */
  readonly methods: ReadonlyArray<string>
  /** Name of the backend. */
  readonly backend: string
  /** Number of parameters that get gradients. */
  readonly trainableParameters: number
  /** Number of all parameters, including those of methods. */
  readonly totalParameters: number
  /** Rows in the training split. */
  readonly trainExamples: number
  /** Optimizer steps planned for the whole run. */
  readonly totalSteps: number
  /** Step of the checkpoint that the run resumes from; absent in a new run. */
  readonly resumedFrom?: number
}

/** One optimizer step is done. */
export interface TrainStep {
  /** Type of the event. */
  readonly type: "step"
  /** Number of the step, from 1. */
  readonly step: number
  /** Optimizer steps planned for the whole run. */
  readonly totalSteps: number
  /** Passes over the data so far, with their fraction. */
  readonly epoch: number
  /** Mean loss of the step's batch, over its unmasked tokens or its examples (natural logarithm). */
  readonly loss: number
  /** Learning rate of the step. */
  readonly learningRate: number
  /** Global L2 norm of the gradient before clipping. */
  readonly gradientNorm: number
  /** Tokens since the first step, without padding. */
  readonly tokens: number
  /** Recent tokens per second. */
  readonly tokensPerSecond: number
  /** Seconds since the run began. */
  readonly seconds: number
  /** Estimated seconds until the end. */
  readonly secondsLeft: number
  /** Figures of plugins, if any has some. */
  readonly figures?: Metrics
}

/** A split has been evaluated. */
export interface TrainEvaluation {
  /** Type of the event. */
  readonly type: "evaluation"
  /** Steps done when it was evaluated; 0 before training. */
  readonly step: number
  /** Name of the split: `validation`, or `retained/<name>` for old rows. */
  readonly split: string
  /** Metrics of the split. */
  readonly metrics: Metrics
}

/** Scores on the old rows of a name. */
export interface RetainedScores {
  /** Before the first step. */
  readonly before: Metrics
  /** With the weights that the run ends with. */
  readonly after: Metrics
}

/** What the splits of old rows begin with: see `TrainOptions.retain`. */
export const RETAINED = "retained/"

/** A complete checkpoint has been written. */
export interface TrainCheckpoint {
  /** Type of the event. */
  readonly type: "checkpoint"
  /** Steps done. */
  readonly step: number
  /** Path relative to the run folder. */
  readonly path: string
}

/** The run ends; the last event. */
export interface TrainStop {
  /** Type of the event. */
  readonly type: "stop"
  /** Steps done. */
  readonly step: number
  /** All steps done, no progress on the validation metric, Ctrl-C, or an error. */
  readonly reason: "finished" | "early-stopping" | "interrupted" | "failed"
  /** Seconds since the run began. */
  readonly seconds: number
  /** Step whose weights were restored as the best. */
  readonly bestStep?: number
}

/** A message for the user. */
export interface TrainMessage {
  /** Type of the event. */
  readonly type: "message"
  /** Severity. */
  readonly level: "info" | "warning"
  /** The message. */
  readonly text: string
}

/** An event of a training run. */
export type TrainEvent = TrainStart | TrainStep | TrainEvaluation | TrainCheckpoint | TrainStop | TrainMessage
