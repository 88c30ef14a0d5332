/**
 * Parts that model families are made of: configurations of one attention, one feed-forward, one kind of layer.
 * @module
 */
export { attention, type AttentionOptions } from "./attention.ts"
export {
  type AddedEmbedding,
  type Backbone,
  backbone,
  type BackboneOptions,
  type EmbeddingsOptions,
  learnedPositions,
  type Places,
  tokenTypes,
} from "./backbone.ts"
export { embedding, type EmbeddingOptions } from "./embedding.ts"
export { feedForward, type FeedForwardOptions } from "./feed_forward.ts"
export { gatedConvolution, type GatedConvolutionOptions } from "./gated_convolution.ts"
export {
  encoderDecoderOf,
  type EncoderDecoderOptions,
  firstPlace,
  firstPlaceHead,
  type HeadForward,
  lastToken,
  lastTokenHead,
  meanPlace,
  networkOf,
  type Pooling,
  sequenceHead,
  tokenHead,
  vocabularyHead,
  type VocabularyHeadOptions,
} from "./heads.ts"
export { inTurn, type Layer, layer, type LayerOptions, type LayerPart } from "./layer.ts"
export { linear, type LinearOptions } from "./linear.ts"
export { layerNorm, type NormOptions, rmsNorm } from "./norm.ts"
export {
  type Activation,
  type HeadSizes,
  readActivation,
  readHeads,
  readRate,
  readWindows,
  spelling,
  type WindowOptions,
} from "./read_config.ts"
export type { RelativePositions } from "./positions/relative_positions.ts"
export { type Memory, type Rope, ropeFrequencies, type RotaryTables, type Sequence } from "./sequence.ts"
export { legacyParts, starting, tied, transposed, unused } from "../../weights/weight_rules.ts"
