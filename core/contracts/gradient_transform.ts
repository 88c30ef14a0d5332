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

/** Inputs of a transform of examples' gradients. */
export interface ExampleTransformContext extends TransformContext {
  /** State of the plugin's own `task` transform, as the step before left it. */
  readonly state: TransformState
}

/** Changed gradients of examples, and what the plugin measured. */
export interface MeasuredExamples {
  /** By parameter key: [B, ...shape]. */
  readonly gradients: Gradients
  /** A number of each example, [B], for each name in `measures`. */
  readonly measures: Readonly<Record<string, Tensor>>
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
  /** The plugin's measures by task and name, each summed over the task's examples of the step, without empty rows: f32 []. */
  readonly measures: ReadonlyMap<string, Readonly<Record<string, Tensor>>>
}

/** Inputs of a transform of the gradients of a whole step. */
export interface TotalTransformContext extends TransformContext {
  /** Values of the trained parameters before the step, by key. */
  readonly parameters: Gradients
}

/** Inputs of a {@link StateStart}. */
export interface StateStartContext {
  /** Values of the trained parameters, by key. */
  readonly parameters: Gradients
  /** Examples of all its rows. */
  readonly examples: number
}

/** A pass over rows before the first step of a run, by which a transform fills its state. A resumed run has none. */
export interface StateStart {
  /** Names of the run's `retain` whose rows it reads. */
  readonly rows: ReadonlyArray<string>
  /**
   * Returns the state after a batch of rows, from the gradients of each example's loss, [B, ...shape]: the sum of its terms,
   * as its task has it, without dropout. Empty rows of a batch have gradients of 0. A plain function over symbolic tensors.
   */
  readonly update: (gradients: Gradients, state: TransformState, context: StateStartContext) => TransformState
}

/** Changes the gradients of a step, with state. A plain function over symbolic tensors. */
export interface StepTransform<G, Context> {
  /** Default: no state. */
  readonly init?: (parameters: ReadonlyArray<Parameter>) => StateSpec
  /** Fills the state before the first step of `Trainer.fit`; a session of its own has the initial values. Default: nothing. */
  readonly start?: StateStart
  /** Returns the new gradients and the new state. */
  readonly update: (gradients: G, state: TransformState, context: Context) => readonly [G, TransformState]
}

/** Changes to gradients, by stage. */
export interface GradientTransforms {
  /**
   * Gradients of each example, [B, ...shape], before the sum over the batch. Runs once per micro-batch; it reads the state
   * of the plugin's `task` transform and does not change it. What only takes norms and scales does not make the step store
   * the gradients: `exampleSquares` and `scaleExamples` of `@espalier/espalier/plugin`.
   */
  readonly example?: (gradients: Gradients, context: ExampleTransformContext) => Gradients | MeasuredExamples
  /** Names of what `example` measures: the step sums these numbers and gives them to `task`. Default: none. */
  readonly measures?: ReadonlyArray<string>
  /** Gradients of each task: weighted means over the task's examples of the step. */
  readonly task?: StepTransform<ReadonlyMap<string, Gradients>, TaskTransformContext>
  /** The mean over tasks, before clipping by global norm and the optimizer. */
  readonly total?: StepTransform<Gradients, TotalTransformContext>
  /**
   * True gives `context.secretKey`, drawn from `crypto` when the run begins, as private training requires: runs with one
   * seed then differ. Checkpoints, readable only by their owner, hold the key, so a resumed run equals an uninterrupted
   * one. Default false.
   */
  readonly secret?: boolean
}
