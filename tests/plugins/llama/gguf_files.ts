/**
 * Models of a fixture as GGUF files, as llama.cpp's converter writes them: names, row order and fields written out here,
 * apart from what the family says of them.
 * @module
 */
import { GGML_TYPES } from "../../../core/formats/gguf/ggml_types.ts"
import type { GgufMetadata, GgufValue } from "../../../core/formats/gguf/gguf_types.ts"
import { type GgufTensorSource, writeGguf } from "../../../core/formats/gguf/gguf_writer.ts"
import { run } from "../../support/model_layer.ts"

/** A tensor in memory. */
export interface Whole {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array
}

type Json = Readonly<Record<string, unknown>>

/** Metadata values from plain ones: whole numbers as uint32, others as float32. */
export const valuesOf = (record: Json): GgufMetadata =>
  new Map(Object.entries(record).map(([key, value]) => [key, valueOf(value)]))

function valueOf(value: unknown): GgufValue {
  if (typeof value === "string") return { type: "string", value }
  if (typeof value === "boolean") return { type: "bool", value }
  if (typeof value === "number" && Number.isInteger(value)) return { type: "uint32", value }
  if (typeof value === "number") return { type: "float32", value: Math.fround(value) }
  const items = value as ReadonlyArray<string>
  if (typeof items[0] === "string") return { type: "array", value: { of: "string", items } }
  const numbers = value as ReadonlyArray<number>
  return numbers.every(Number.isInteger)
    ? { type: "array", value: { of: "int32", items: Int32Array.from(numbers) } }
    : { type: "array", value: { of: "float32", items: Float32Array.from(numbers) } }
}

const NAMES: ReadonlyArray<readonly [RegExp, string]> = [
  [/^model\.embed_tokens\./, "token_embd."],
  [/^model\.norm\./, "output_norm."],
  [/^lm_head\./, "output."],
  [/^model\.layers\.(\d+)\./, "blk.$1."],
  [/self_attn\.([qkv])_proj/, "attn_$1"],
  [/self_attn\.o_proj/, "attn_output"],
  [/self_attn\.([qk])_norm/, "attn_$1_norm"],
  [/input_layernorm/, "attn_norm"],
  [/post_attention_layernorm/, "ffn_norm"],
  [/mlp\.(gate|up|down)_proj/, "ffn_$1"],
]

/** `weights.reshape(heads, 2, dim / 2, ...).swapaxes(1, 2).reshape(weights.shape)`. */
export function permute({ shape, data }: Whole, heads: number): Whole {
  const [rows] = shape, inner = data.length / rows, half = rows / heads / 2
  const out = new Float32Array(data.length)
  for (let head = 0; head < heads; head++) {
    for (let part = 0; part < 2; part++) {
      for (let i = 0; i < half; i++) {
        const from = (head * 2 + part) * half + i, to = (head * half + i) * 2 + part
        out.set(data.subarray(from * inner, (from + 1) * inner), to * inner)
      }
    }
  }
  return { shape, data: out }
}

/** What llama.cpp divides rotary frequencies by for a config's scaling, as its converter computes it. */
function ropeFactors(config: Json): Float32Array | undefined {
  const scaling = config.rope_scaling as (Readonly<Record<string, number>> & { rope_type: string }) | null | undefined
  if (scaling?.rope_type !== "llama3") return undefined
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: original } = scaling
  const dim = config.head_dim as number
  return Float32Array.from({ length: dim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * (config.rope_theta as number) ** (2 * i / dim)
    if (wavelength < original / high) return 1
    if (wavelength > original / low) return factor
    const smooth = (original / wavelength - low) / (high - low)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}

/** Fields of a scaling that has no factors of its own. */
function scalingOf(config: Json): Json {
  const { rope_type: type, factor, original_max_position_embeddings: original } = (config.rope_scaling ?? {}) as Json
  if (type === undefined || type === "llama3") return {}
  return {
    "rope.scaling.type": type,
    "rope.scaling.factor": factor,
    "rope.scaling.original_context_length": original,
  }
}

/** Fields of a config under the names that GGUF has for them. */
function fieldsOf(architecture: string, config: Json): Json {
  const fields = {
    block_count: config.num_hidden_layers,
    context_length: config.max_position_embeddings,
    embedding_length: config.hidden_size,
    feed_forward_length: config.intermediate_size,
    "attention.head_count": config.num_attention_heads,
    "attention.head_count_kv": config.num_key_value_heads,
    "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
    "attention.key_length": config.head_dim,
    "attention.value_length": config.head_dim,
    "rope.freq_base": config.rope_theta,
    vocab_size: config.vocab_size,
    ...scalingOf(config),
  }
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) => [
      `${architecture}.${name}`,
      value,
    ]),
  )
}

/** Writes a model as GGUF. */
export interface GgufOptions {
  /** Value of `general.architecture`. */
  readonly architecture: string
  /** Type of matrices. Default `"F32"`. */
  readonly type?: string
  /** Further metadata; undefined takes a value out. */
  readonly metadata?: Json
}

/** Writes tensors under Hugging Face's names, with the fields of a `config.json`, as a GGUF file. */
export function writeModel(
  path: string,
  config: Json,
  tensors: ReadonlyMap<string, Whole>,
  { architecture, type = "F32", metadata = {} }: GgufOptions,
): Promise<void> {
  const named = new Map<string, Whole>()
  for (const [name, tensor] of tensors) {
    if (name === "lm_head.weight" && config.tie_word_embeddings === true) continue
    const own = NAMES.reduce((text, [from, to]) => text.replace(from, to), name)
    const heads = /attn_q\./.test(own) ? config.num_attention_heads : config.num_key_value_heads
    const rotated = architecture === "llama" && /attn_[qk]\./.test(own)
    named.set(own, rotated ? permute(tensor, heads as number) : tensor)
  }
  const factors = ropeFactors(config)
  if (factors !== undefined) named.set("rope_freqs.weight", { shape: [factors.length], data: factors })
  const record = { "general.architecture": architecture, ...fieldsOf(architecture, config), ...metadata }
  const values = valuesOf(Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)))
  return run(writeGguf(path, values, [...named].map(([name, tensor]) => source(name, tensor, type))))
}

/** A tensor to be written: vectors as F32, matrices in `type`. */
function source(name: string, { shape, data }: Whole, type: string): GgufTensorSource {
  const wanted = shape.length < 2 ? "F32" : type
  return {
    name,
    shape,
    type: GGML_TYPES.find((one) => one.name === wanted)!,
    read: (first, count) => data.subarray(first, first + count),
  }
}
