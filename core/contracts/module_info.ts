import type { Shape } from "../tensor/shape.ts"

/** What a plugin sees of a module before any weight is loaded. */
export interface ModuleInfo {
  /** Hugging Face path: `model.layers.0.self_attn.q_proj`. It never changes when methods are added. */
  readonly path: string
  /**
   * What the module is: `Linear`, `Embedding`, `Norm`, `Attention`, `FeedForward`, `Block`, `Backbone`, `Head`, `Model`.
   */
  readonly kind: string
  /**
   * Sizes by name. Linear: `inFeatures`, `outFeatures`. Embedding: `rows`, `width`. Attention: `hiddenSize`, `heads`,
   * `keyValueHeads`, `headDim`. Block, FeedForward, Backbone: `hiddenSize`.
   */
  readonly sizes: Readonly<Record<string, number>>
  /** Shapes of the module's own parameters by name. */
  readonly parameters: Readonly<Record<string, Shape>>
  /** Whether the module is the model's output head: `"all-linear"` leaves it out. */
  readonly outputHead: boolean
  /** Whether the family adapts it when a method is not told which modules to take. */
  readonly defaultTarget: boolean
  /** Of a module whose output is added to the residual stream: the part of the layer that ends there. */
  readonly residual?: ResidualPart
}

/** Parts of a layer that add to the residual stream. */
export type ResidualPart = "attention" | "feed-forward"
