/**
 * A checkpoint of SmolLM2-135M's shape with random weights, in bf16 as the published file is.
 * @module
 */

const HIDDEN = 576, INNER = 1536, KEYS = 192, VOCABULARY = 49152, LAYERS = 30

/** Its `config.json`. */
export const config = {
  model_type: "llama",
  vocab_size: VOCABULARY,
  hidden_size: HIDDEN,
  intermediate_size: INNER,
  num_hidden_layers: LAYERS,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  rope_theta: 100000,
  tie_word_embeddings: true,
}

const layer: ReadonlyArray<readonly [name: string, shape: ReadonlyArray<number>]> = [
  ["input_layernorm", [HIDDEN]],
  ["self_attn.q_proj", [HIDDEN, HIDDEN]],
  ["self_attn.k_proj", [KEYS, HIDDEN]],
  ["self_attn.v_proj", [KEYS, HIDDEN]],
  ["self_attn.o_proj", [HIDDEN, HIDDEN]],
  ["post_attention_layernorm", [HIDDEN]],
  ["mlp.gate_proj", [INNER, HIDDEN]],
  ["mlp.up_proj", [INNER, HIDDEN]],
  ["mlp.down_proj", [HIDDEN, INNER]],
]
const tensors = [
  ["embed_tokens", [VOCABULARY, HIDDEN]] as const,
  ...Array.from({ length: LAYERS }, (_, i) => layer.map(([name, shape]) => [`layers.${i}.${name}`, shape] as const))
    .flat(),
  ["norm", [HIDDEN]] as const,
]

/** Writes it: norms of ones, matrices uniform with a standard deviation of 0.02. */
export const writeSmolLM2 = async (directory: string): Promise<void> => {
  let end = 0
  const header = tensors.map(([name, shape]) => {
    const begin = end
    end += 2 * shape.reduce((product, extent) => product * extent)
    return [`model.${name}.weight`, { dtype: "BF16", shape, data_offsets: [begin, end] }]
  })
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const [sized, writer] = [
    new Uint8Array(8),
    await Deno.open(`${directory}/model.safetensors`, {
      write: true,
      create: true,
    }),
  ]
  new DataView(sized.buffer).setBigUint64(0, BigInt(json.length), true)
  const put = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += await writer.write(bytes.subarray(at))
  }
  await put(sized)
  await put(json)
  const width = 0.02 * Math.sqrt(12)
  let state = 1
  for (const [, shape] of tensors) {
    const floats = new Float32Array(shape.reduce((product, extent) => product * extent)).fill(1)
    if (shape.length > 1) {
      for (let i = 0; i < floats.length; i++) {
        state = Math.imul(state, 1664525) + 1013904223 | 0
        floats[i] = width * state / 2 ** 32
      }
    }
    const halves = new Uint16Array(floats.buffer)
    await put(new Uint8Array(Uint16Array.from({ length: floats.length }, (_, i) => halves[2 * i + 1]).buffer))
  }
  writer.close()
  await Deno.writeTextFile(`${directory}/config.json`, JSON.stringify(config))
}
