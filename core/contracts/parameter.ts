import type { Shape } from "../tensor/shape.ts"

/** How a new parameter gets its first values. Random ones come from the run's seed and the parameter's key. */
export type Initializer =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  /** Uniform in [-bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number }
  /** Normal with mean 0. */
  | { readonly kind: "normal"; readonly std: number }
  | { readonly kind: "values"; readonly data: Float32Array }

/** A parameter before it has memory. */
export interface ParameterSpec {
  /** Extents of its axes. */
  readonly shape: Shape
  /** Its first values. */
  readonly initializer: Initializer
  /** Of a plugin's parameter: whether training changes it. Default true. */
  readonly trainable?: boolean
  /** Multiple of the run's learning rate at which it is trained. Default 1. */
  readonly learningRateFactor?: number
}

/** A parameter of a model. */
export interface Parameter extends ParameterSpec {
  /**
   * Unique in the model. A base parameter's key is its Hugging Face name (`model.norm.weight`); a plugin's is
   * `<plugin id>:<module path>.<name>`.
   */
  readonly key: string
  /** Path of the module that it belongs to. */
  readonly module: string
  /** Its name within the module or site: `weight`, `bias`, ... */
  readonly name: string
  /** `"base"`, or the id of the plugin that brought it. */
  readonly owner: string
}
