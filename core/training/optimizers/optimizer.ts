import type { Json } from "../../contracts/batch_source.ts"
import type { StateSpec } from "../../contracts/gradient_transform.ts"
import type { Shape } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/** Inputs of an update besides the gradient. */
export interface UpdateContext {
  /** Learning rate of this parameter in this step: f32 []. */
  readonly learningRate: Tensor
  /** {@link Optimizer.scalars} of this step, by name: f32 [] each. */
  readonly scalars: Readonly<Record<string, Tensor>>
  /** Weight decay of this parameter; 0 for biases and norms. */
  readonly weightDecay: number
}

/** A parameter's new value and state. */
export interface Updated {
  /** New value. */
  readonly parameter: Tensor
  /** New state, by the names of {@link Optimizer.state}. */
  readonly state: Readonly<Record<string, Tensor>>
}

/** An update rule: a plain function over symbolic tensors. */
export interface Optimizer {
  /** Name, in the run's configuration. */
  readonly name: string
  /** Settings such as decay rates, in the run's configuration: a resumed run must have the same. */
  readonly settings: Readonly<Record<string, Json>>
  /** State for a parameter of this shape, by name. */
  readonly state: (shape: Shape) => StateSpec
  /** Numbers that depend only on the step (from 1), computed in float64 on the host. */
  readonly scalars: (step: number) => Readonly<Record<string, number>>
  /** Updates one parameter. */
  readonly update: (
    parameter: Tensor,
    gradient: Tensor,
    state: Readonly<Record<string, Tensor>>,
    context: UpdateContext,
  ) => Updated
}
