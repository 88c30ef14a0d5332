import type { Shape } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { Initializer, Parameter } from "./parameter.ts"

/** Gradients by parameter key. */
export type Gradients = ReadonlyMap<string, Tensor>

/** State of a transform by name, as symbolic tensors. */
export type TransformState = Readonly<Record<string, Tensor>>

/** What a transform may look at. */
export interface TransformContext {
  /** Number of this update, from 1: i32 []. */
  readonly step: Tensor
  /** Key for random numbers of this update (see `uniform`): from the run's seed, or {@link GradientTransforms.secret}. */
  readonly key: readonly [Tensor, Tensor]
}

/** State that is kept between updates, by name: f32 tensors that checkpoints hold. */
export type StateSpec = Readonly<Record<string, StateTensor>>

/** One tensor of a state. */
export interface StateTensor {
  /** Extents of its axes. */
  readonly shape: Shape
  /** Its first values; random ones come from the run's seed and the tensor's name. Default: zeros. */
  readonly initializer?: Initializer
}

/** Sees gradients by task as well. */
export interface TaskTransformContext extends TransformContext {
  /**
   * What each task's sums were divided by to give its gradients, 0 for a task without any example in this step: f32 [].
   * A gradient times it is the sum again, for whoever needs another divisor.
   */
  readonly weights: ReadonlyMap<string, Tensor>
}

/** A change to the gradients of a whole step, with a memory of its own. Graph to graph: a plain function, folded once. */
export interface StepTransform<G, Context> {
  /** Default: no memory. */
  readonly init?: (parameters: ReadonlyArray<Parameter>) => StateSpec
  /** New gradients and new memory. */
  readonly update: (gradients: G, state: TransformState, context: Context) => readonly [G, TransformState]
}

/** Changes to gradients, by the stage at which they happen. */
export interface GradientTransforms {
  /**
   * Each gradient is [B, ...shape]: of the sum of one example's terms, before the sum over the batch. Runs once a
   * micro-batch, and so has no memory.
   */
  readonly example?: (gradients: Gradients, context: TransformContext) => Gradients
  /** Gradients by task, each the weighted mean over the task's examples of the step. */
  readonly task?: StepTransform<ReadonlyMap<string, Gradients>, TaskTransformContext>
  /** The mean over tasks, before clipping by global norm and the optimizer. */
  readonly total?: StepTransform<Gradients, TransformContext>
  /**
   * True draws the key of `context.key` from `crypto` instead of the run's seed, as the noise of a private run must be: two
   * runs with one seed then differ. The key lies in checkpoints, which only their owner can read, so that a resumed run is
   * the same run. Default false.
   */
  readonly secret?: boolean
}
