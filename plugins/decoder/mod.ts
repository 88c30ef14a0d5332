/**
 * Decoders of the usual shape, for families that are configurations of it: attention with grouped heads, gated feed-forward,
 * RMS norms, under Hugging Face's names.
 * @module
 */
export {
  decoderBody,
  type DecoderConfig,
  decoderHead,
  type DecoderHeadConfig,
  type DecoderLayer,
  decoderOf,
  type PartNorms,
} from "./decoder.ts"
export { classesOf, type CommonConfig, type DecoderDefaults, readDecoder } from "./read_decoder.ts"
