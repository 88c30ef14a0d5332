import type { BlockFormat } from "../tensor/block_format.ts"
import type { Shape } from "../tensor/shape.ts"

/** What a plugin sees of a module before any weight is loaded. */
export interface ModuleInfo {
  /** Hugging Face path: `model.layers.0.self_attn.q_proj`. It never changes when methods are added. */
  readonly path: string
  /**
   * What the module is: `Linear`, `Embedding`, `Norm`, `Convolution`, `Attention`, `CrossAttention`, `GatedConvolution`,
   * `FeedForward`, `Block`, `Backbone`, `Head`, `Model`.
   */
  readonly kind: string
  /**
   * Sizes by name. Linear: `inFeatures`, `outFeatures`. Embedding: `rows`, `width`. Attentions: `hiddenSize`, `heads`,
   * `keyValueHeads`, `headDim`. Convolution: `channels`, `kernel`. Block, FeedForward, GatedConvolution, Backbone:
   * `hiddenSize`; a Backbone has `embeddingScale` where embedded tokens are multiplied by it, and rows that methods put
   * before them are not.
   */
  readonly sizes: Readonly<Record<string, number>>
  /** Shapes of the module's own parameters by name. */
  readonly parameters: Readonly<Record<string, Shape>>
  /**
   * Encodings in blocks that memory keeps the module's parameters in, by name. Undefined while it is not known what the
   * model's files hold: a plan that needs one is made again when it is.
   */
  readonly encodings?: Readonly<Record<string, BlockFormat>>
  /** Set where files hold the module's weight with its axes swapped, [in, out]: PEFT's `fan_in_fan_out`. */
  readonly transposed?: true
  /** Whether the module is the model's output head, which `"all-linear"` excludes. */
  readonly outputHead: boolean
  /** The task whose head it belongs to, in a model of several: its path then begins with `heads.<task>.`. */
  readonly task?: string
  /** Whether methods adapt it by default. */
  readonly defaultTarget: boolean
  /** The Backbone of the model, if it has one. */
  readonly backbone?: BackboneInfo
  /** Which Backbone of an encoder-decoder model the module is, or is part of. */
  readonly side?: Side
  /** The layer of a Backbone that the module is, or is part of. */
  readonly layer?: LayerPlace
  /** Set if the module's output is added to the residual stream: the part of the layer that ends here. */
  readonly residual?: ResidualPart
}

/** The part of a model that all tasks share. */
export interface BackboneInfo {
  /** Its path, such as `model`. Files of a model without a head omit it from names. */
  readonly path: string
  /** First parts of the names inside, such as `layers`. */
  readonly parts: ReadonlyArray<string>
}

/** A layer's place in its Backbone. */
export interface LayerPlace {
  /** Its number, from 0. */
  readonly index: number
  /** How many layers there are. */
  readonly count: number
  /** Layers of Backbones before its own. */
  readonly before: number
}

/** A Backbone of an encoder-decoder model. */
export type Side = "encoder" | "decoder"

/** Parts of a layer that add to the residual stream. */
export type ResidualPart = "attention" | "cross-attention" | "feed-forward"
