import type { Tensor } from "../tensor/tensor.ts"
import type { Parameter } from "./parameter.ts"

/** Positions of the examples in a packed row. */
export interface PackedRow {
  /** Index of each token within its example; 0 for padding: i32 [1, N]. */
  readonly positions: Tensor
  /** Example of each token, from 0; B for padding: i32 [1, N]. A token sees only tokens of the same example. */
  readonly segments: Tensor
  /** Index of each example's first token in the row; 0 for an example that only fills the batch: i32 [B]. */
  readonly first: Tensor
  /** Index of each example's last token: i32 [B]. */
  readonly last: Tensor
  /** Length of the longest example of the run; all positions are below it. */
  readonly longest: number
}

/**
 * Symbolic batch of B examples: the same names as the host's batch. They lie in B rows [B, T], padded on the right, or,
 * where `packed` is there, one after the other in a single row [1, N], padded at its end.
 */
export interface BatchTensors {
  /** Token ids, i32 [B, T] or [1, N]. */
  readonly tokens: Tensor
  /** Tokens of each example, i32 [B]. */
  readonly lengths: Tensor
  /** Set for a packed row. */
  readonly packed?: PackedRow
  /** Labels, i32: classes [B], or of each token, as `tokens`: next or hidden tokens, classes; negative ones are masked. */
  readonly labels: Tensor
  /**
   * 1 for an example, 0 for one that only fills the batch: f32 [B]. Of a packed row with labels of tokens, whose loss is
   * one sum: f32 [1].
   */
  readonly exampleWeight: Tensor
  /** The task that the whole batch belongs to. */
  readonly task: string
}

/** Outputs of a model for a batch. */
export interface Outputs {
  /** [B, classes] for classification; for each token [B, T, classes], or [B, T, vocabulary] of a language model. */
  readonly logits: Tensor
  /** Last hidden states [B, T, hiddenSize]. Here and above a packed row is [1, N]. */
  readonly hidden: Tensor
}

/**
 * A loss, example by example, or of a packed row with labels of tokens as a whole: as {@link BatchTensors.exampleWeight}.
 * The step's loss is the sum of `loss` over the sum of `weight`.
 */
export interface ExampleLoss {
  /** Sum of an example's terms: f32 [B] or [1]. */
  readonly loss: Tensor
  /** Number of an example's terms (unmasked tokens, or 1): f32 [B] or [1]. */
  readonly weight: Tensor
}

/** Inputs of an objective. */
export interface ObjectiveContext {
  /** The batch. */
  readonly batch: BatchTensors
  /** The model's outputs for it. */
  readonly outputs: Outputs
  /** Outputs of the model with all methods off; traced only when called. */
  readonly base: () => Outputs
  /** A parameter of the plugin's objective, by name. */
  readonly parameter: (name: string) => Tensor
  /** The plugin's trained parameters, including those of its sites; for regularizers. */
  readonly trained: ReadonlyArray<{ readonly parameter: Parameter; readonly tensor: Tensor }>
}

/** Computes the loss of each example from a batch and a model's outputs. A plain function over symbolic tensors. */
export type Objective = (context: ObjectiveContext) => ExampleLoss
