import type { Tensor } from "../tensor/tensor.ts"
import type { Parameter } from "./parameter.ts"

/** Gradients by parameter key. */
export type Gradients = ReadonlyMap<string, Tensor>

/** State of a transform by name, as symbolic tensors. */
export type TransformState = Readonly<Record<string, Tensor>>

/** What a transform may look at. */
export interface TransformContext {
  /** Number of this update, from 1: i32 []. */
  readonly step: Tensor
  /** Key for random numbers of this update (see `uniform`). */
  readonly key: readonly [Tensor, Tensor]
}

/** Memory that a transform keeps between updates; it starts with zeros and lies in checkpoints. */
export type StateSpec = Readonly<Record<string, { readonly shape: ReadonlyArray<number> }>>

interface Stage<Name extends string, G> {
  readonly stage: Name
  /** Default: none. Not for the stage `example`, which runs once a micro-batch. */
  readonly init?: (parameters: ReadonlyArray<Parameter>) => StateSpec
  /** Graph to graph: a plain function, folded once. */
  readonly update: (gradients: G, state: TransformState, context: TransformContext) => readonly [G, TransformState]
}

/**
 * A change to gradients.
 * - `example`: each gradient is [B, ...shape], of the sum of one example's terms, before the sum over the batch.
 * - `task`: by task, each the weighted mean over the task's examples of the window.
 * - `total`: the mean over tasks, before clipping by global norm and the optimizer.
 */
export type GradientTransform =
  | Stage<"example", Gradients>
  | Stage<"task", ReadonlyMap<string, Gradients>>
  | Stage<"total", Gradients>
