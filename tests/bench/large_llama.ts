/**
 * A GGUF file of an 8B Llama's shape with random weights in Q4_1.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { GGML_TYPES, type GgmlType } from "../../core/formats/gguf/ggml_types.ts"
import type { GgufMetadata, GgufValue } from "../../core/formats/gguf/gguf_types.ts"
import { type GgufTensorSource, writeGguf } from "../../core/formats/gguf/gguf_writer.ts"
import { sizeOf } from "../../core/tensor/shape.ts"
import { F16 } from "../../kernels/encodings.ts"

const HIDDEN = 4096, INNER = 14_336, KEYS = 1024, HEADS = 32
/** Tokens that it knows. */
export const VOCABULARY = 128_256
/** Layers that it has. */
export const LAYERS = 32

const typeOf = (name: string): GgmlType => GGML_TYPES.find((type) => type.name === name)!
const F32 = typeOf("F32"), Q4_1 = typeOf("Q4_1")
const BLOCK = 32, BYTES = 20

/** Random blocks, of which matrices take pieces in turn: a standard deviation of 0.02. */
const randomBlocks = (count: number): Uint8Array => {
  const bytes = new Uint8Array(count * BYTES)
  const words = new Uint32Array(bytes.buffer)
  let state = 1
  for (let i = 0; i < words.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0
    words[i] = state ^ state << 13
  }
  const scale = 0.02 / 4.6
  for (let at = 0; at < bytes.length; at += BYTES) {
    F16.encode!(Float32Array.of(scale, -7.5 * scale), bytes.subarray(at, at + 4))
  }
  return bytes
}

const matrix = (name: string, shape: ReadonlyArray<number>, blocks: Uint8Array, seed: number): GgufTensorSource => ({
  name: `${name}.weight`,
  shape,
  type: Q4_1,
  read: (first, count) => {
    const bytes = count / BLOCK * BYTES
    const places = (blocks.length - bytes) / BYTES + 1
    const at = BYTES * ((seed * 7919 + first / BLOCK * 31) % places)
    return blocks.subarray(at, at + bytes)
  },
})
const norm = (name: string): GgufTensorSource => ({
  name: `${name}.weight`,
  shape: [HIDDEN],
  type: F32,
  read: (_, count) => new Float32Array(count).fill(1),
})

const tensorsOf = (layers: number): ReadonlyArray<GgufTensorSource> => {
  const blocks = randomBlocks(1 << 18)
  let seed = 0
  const of = (name: string, rows: number, columns: number) => matrix(name, [rows, columns], blocks, seed++)
  const layer = (i: number): ReadonlyArray<GgufTensorSource> => [
    norm(`blk.${i}.attn_norm`),
    of(`blk.${i}.attn_q`, HIDDEN, HIDDEN),
    of(`blk.${i}.attn_k`, KEYS, HIDDEN),
    of(`blk.${i}.attn_v`, KEYS, HIDDEN),
    of(`blk.${i}.attn_output`, HIDDEN, HIDDEN),
    norm(`blk.${i}.ffn_norm`),
    of(`blk.${i}.ffn_gate`, INNER, HIDDEN),
    of(`blk.${i}.ffn_up`, INNER, HIDDEN),
    of(`blk.${i}.ffn_down`, HIDDEN, INNER),
  ]
  return [
    of("token_embd", VOCABULARY, HIDDEN),
    ...Array.from({ length: layers }, (_, i) => layer(i)).flat(),
    norm("output_norm"),
    of("output", VOCABULARY, HIDDEN),
  ]
}

const metadataOf = (layers: number): GgufMetadata => {
  const whole: Record<string, number> = {
    context_length: 8192,
    embedding_length: HIDDEN,
    block_count: layers,
    feed_forward_length: INNER,
    "attention.head_count": HEADS,
    "attention.head_count_kv": KEYS * HEADS / HIDDEN,
    vocab_size: VOCABULARY,
  }
  const real: Record<string, number> = { "attention.layer_norm_rms_epsilon": 1e-5, "rope.freq_base": 500_000 }
  return new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: "llama" }],
    ...Object.entries(whole).map(([key, value]) => [`llama.${key}`, { type: "uint32", value }] as const),
    ...Object.entries(real).map(([key, value]) => [`llama.${key}`, { type: "float32", value }] as const),
  ])
}

/**
 * Writes it.
 *
 * @returns Bytes of the weights.
 */
export const writeLargeLlama = async (path: string, layers: number = LAYERS): Promise<number> => {
  const tensors = tensorsOf(layers)
  await Effect.runPromise(
    writeGguf(path, metadataOf(layers), tensors).pipe(Effect.provide(NodeFileSystem.layer)),
  )
  return tensors.reduce(
    (sum, { shape, type: { encoding } }) => sum + sizeOf(shape) / encoding!.block * encoding!.blockBytes,
    0,
  )
}
