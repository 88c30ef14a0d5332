import type { Shape } from "../tensor/shape.ts"

/** Initial values of a new parameter. Random values depend on the run's seed and the parameter's key. */
export type Initializer =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  /** Uniform in [-bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number }
  /** Normal with mean 0. */
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "values"; readonly data: Float32Array }

/** Shape and initializer of a parameter. */
export interface ParameterSpec {
  /** Extents of its axes. */
  readonly shape: Shape
  /** Its initial values. */
  readonly initializer: Initializer
  /** For a plugin's parameter: whether it trains. Default true. */
  readonly trainable?: boolean
  /** Factor on the run's learning rate. Default 1. */
  readonly learningRateFactor?: number
  /** Tasks of a model of several whose batches reach it. Default: all. */
  readonly tasks?: ReadonlyArray<string>
}

/** A parameter of a model. */
export interface Parameter extends ParameterSpec {
  /**
   * Unique in the model. A base parameter's key is its Hugging Face name (`model.norm.weight`); a plugin's is
   * `<plugin id>:<module path>.<name>`.
   */
  readonly key: string
  /** Path of its module. */
  readonly module: string
  /** Its name within the module or site: `weight`, `bias`, ... */
  readonly name: string
  /** `"base"`, or the id of its plugin. */
  readonly owner: string
}
