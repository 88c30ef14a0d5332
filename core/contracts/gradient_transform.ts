import type { Shape } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { Initializer, Parameter } from "./parameter.ts"

/** Gradients by parameter key. */
export type Gradients = ReadonlyMap<string, Tensor>

/** State of a transform by name, as symbolic tensors. */
export type TransformState = Readonly<Record<string, Tensor>>

/** Inputs of a transform. */
export interface TransformContext {
  /** Step number, from 1: i32 []. */
  readonly step: Tensor
  /** Key for random numbers of this update (see `uniform`), from the run's seed. */
  readonly key: readonly [Tensor, Tensor]
  /** The plugin's own key of 256 bits, the same in all steps, if it asks for one: i32 [8]. See {@link GradientTransforms.secret}. */
  readonly secretKey?: Tensor
}

/** State between updates, by name: f32 tensors, kept in checkpoints. */
export type StateSpec = Readonly<Record<string, StateTensor>>

/** One tensor of a state. */
export interface StateTensor {
  /** Extents of its axes. */
  readonly shape: Shape
  /** Its initial values; random ones depend on the run's seed and the tensor's name. Default: zeros. */
  readonly initializer?: Initializer
}

/** Inputs of a transform of each task's gradients. */
export interface TaskTransformContext extends TransformContext {
  /**
   * Divisor of each task's gradient sums, 0 for a task without examples in this step: f32 []. Multiply a gradient by it
   * to get the sum back.
   */
  readonly weights: ReadonlyMap<string, Tensor>
  /** Keys of the parameters that batches of every task reach: not those of heads, nor of plugins for some tasks. */
  readonly shared: ReadonlySet<string>
}

/** Changes the gradients of a step, with state. A plain function over symbolic tensors. */
export interface StepTransform<G, Context> {
  /** Default: no state. */
  readonly init?: (parameters: ReadonlyArray<Parameter>) => StateSpec
  /** Returns the new gradients and the new state. */
  readonly update: (gradients: G, state: TransformState, context: Context) => readonly [G, TransformState]
}

/** Changes to gradients, by stage. */
export interface GradientTransforms {
  /**
   * Gradients of each example, [B, ...shape], before the sum over the batch. Runs once per micro-batch, without state. What
   * only takes norms and scales does not make the step store them: `exampleSquares` and `scaleExamples` of
   * `@espalier/espalier/plugin`.
   */
  readonly example?: (gradients: Gradients, context: TransformContext) => Gradients
  /** Gradients of each task: weighted means over the task's examples of the step. */
  readonly task?: StepTransform<ReadonlyMap<string, Gradients>, TaskTransformContext>
  /** The mean over tasks, before clipping by global norm and the optimizer. */
  readonly total?: StepTransform<Gradients, TransformContext>
  /**
   * True gives `context.secretKey`, drawn from `crypto` when the run begins, as private training requires: runs with one
   * seed then differ. Checkpoints, readable only by their owner, hold the key, so a resumed run equals an uninterrupted
   * one. Default false.
   */
  readonly secret?: boolean
}
