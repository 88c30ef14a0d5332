import type { Tensor } from "../tensor/tensor.ts"
import type { Parameter } from "./parameter.ts"

/** Symbolic batch: the same names as the host's batch. */
export interface BatchTensors {
  /** Token ids, i32 [B, T], padded on the right. */
  readonly tokens: Tensor
  /** Tokens of each row that are not padding, i32 [B]. */
  readonly lengths: Tensor
  /** Labels, i32: classes [B], or of each token [B, T]: next or hidden tokens, classes; negative ones are masked. */
  readonly labels: Tensor
  /** 1 for an example, 0 for a row that only fills the batch: f32 [B]. */
  readonly exampleWeight: Tensor
  /** The task that the whole batch belongs to. */
  readonly task: string
}

/** What a model gives for a batch. */
export interface Outputs {
  /** [B, classes] for classification; for each token [B, T, classes], or [B, T, vocabulary] of a language model. */
  readonly logits: Tensor
  /** Last hidden states [B, T, hiddenSize]. */
  readonly hidden: Tensor
}

/** A loss, example by example: the step's loss is the sum of `loss` over the sum of `weight`. */
export interface ExampleLoss {
  /** Sum of an example's terms: f32 [B]. */
  readonly loss: Tensor
  /** Number of an example's terms (unmasked tokens, or 1): f32 [B]. */
  readonly weight: Tensor
}

/** What an objective may look at. */
export interface ObjectiveContext {
  /** What goes in. */
  readonly batch: BatchTensors
  /** What the model makes of it. */
  readonly outputs: Outputs
  /** Outputs of the model with every method off (built only when asked for). */
  readonly base: () => Outputs
  /** A parameter of the objective that is being wrapped, by name. */
  readonly parameter: (name: string) => Tensor
  /** All parameters of the plugin that wraps which train, those of its sites included; for regularizers. */
  readonly trained: ReadonlyArray<{ readonly parameter: Parameter; readonly tensor: Tensor }>
}

/** From a batch and a model's outputs to the loss of each example. A plain function over symbolic tensors. */
export type Objective = (context: ObjectiveContext) => ExampleLoss
