/**
 * What a training run tells while it runs: progress bars, event logs, trackers and reports all live on these. Every
 * event is plain JSON, and every number in it is finite (a loss that is not finite stops the run instead).
 * @module
 */

/** Values by the name of their metric, such as `loss`, `perplexity`, `accuracy`, `macroF1`, `matthews`. */
export type Metrics = Readonly<Record<string, number>>

/** The run begins, or goes on from a checkpoint. Nothing has been trained yet. */
export interface TrainStart {
  /** Tells the events apart. */
  readonly type: "start"
  /** What the model is called, usually its path. */
  readonly model: string
  /** Ids of the plugins at work, in their resolved order; empty for full fine-tuning. */
  readonly methods: ReadonlyArray<string>
  /** Name of the backend. */
  readonly backend: string
  /** Number of parameters that get gradients. */
  readonly trainableParameters: number
  /** Number of all parameters, those of the methods included. */
  readonly totalParameters: number
  /** Rows in the training split. */
  readonly trainExamples: number
  /** Optimizer steps planned for the whole run. */
  readonly totalSteps: number
  /** Step of the checkpoint that the run goes on from; absent in a fresh run. */
  readonly resumedFrom?: number
}

/** One optimizer step is done. */
export interface TrainStep {
  /** Tells the events apart. */
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
  /** Tokens seen since the first step, padding left out. */
  readonly tokens: number
  /** Tokens a second, lately. */
  readonly tokensPerSecond: number
  /** Seconds since the run began. */
  readonly seconds: number
  /** Seconds that the planned rest will take at the present pace. */
  readonly secondsLeft: number
}

/** A split has been evaluated. */
export interface TrainEvaluation {
  /** Tells the events apart. */
  readonly type: "evaluation"
  /** Steps done when it was evaluated; 0 before training. */
  readonly step: number
  /** Name of the split, such as `validation`. */
  readonly split: string
  /** What was found. */
  readonly metrics: Metrics
}

/** A checkpoint lies on disk, whole. */
export interface TrainCheckpoint {
  /** Tells the events apart. */
  readonly type: "checkpoint"
  /** Steps done. */
  readonly step: number
  /** Where it lies, relative to the run folder. */
  readonly path: string
}

/** The run ends. Nothing follows. */
export interface TrainStop {
  /** Tells the events apart. */
  readonly type: "stop"
  /** Steps done. */
  readonly step: number
  /** Why: all steps done, no progress on the validation metric, a person's Ctrl-C, or an error. */
  readonly reason: "finished" | "early-stopping" | "interrupted" | "failed"
  /** Seconds since the run began. */
  readonly seconds: number
  /** Step whose weights were restored, when the best were kept. */
  readonly bestStep?: number
}

/** A sentence for a person. */
export interface TrainMessage {
  /** Tells the events apart. */
  readonly type: "message"
  /** How much it matters. */
  readonly level: "info" | "warning"
  /** The sentence. */
  readonly text: string
}

/** What a training run tells while it runs. */
export type TrainEvent = TrainStart | TrainStep | TrainEvaluation | TrainCheckpoint | TrainStop | TrainMessage
