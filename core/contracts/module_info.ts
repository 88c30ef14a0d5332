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
  /** The Backbone of the model. */
  readonly backbone?: BackboneInfo
  /** Of a module whose output is added to the residual stream: the part of the layer that ends there. */
  readonly residual?: ResidualPart
}

/** The part of a model that all its tasks share. */
export interface BackboneInfo {
  /** Its path: `model`. A model without a head has the names of its modules without it. */
  readonly path: string
  /** First parts of the names within: `layers`. */
  readonly parts: ReadonlyArray<string>
}

/** Parts of a layer that add to the residual stream. */
export type ResidualPart = "attention" | "feed-forward"
