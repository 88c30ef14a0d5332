/**
 * The small GPT-like step that the bench times: one model and one batch for every contestant.
 *
 * The model (pre-norm, as GPT-2 but with an output matrix of its own):
 * ```
 * h = embedding[ids] + position
 * for each layer:
 *   h += attention(layerNorm(h; norm1) qkv.weight + qkv.bias) out.weight + out.bias
 *   h += gelu(layerNorm(h; norm2) up.weight + up.bias) down.weight + down.bias
 * logits = layerNorm(h; norm) head
 * ```
 * `qkv` gives queries, keys and values side by side (columns 0-127, 128-255, 256-383), each of `heads` heads side by side;
 * attention is causal, its scale 1/sqrt(width / heads). layerNorm has epsilon 1e-5, gelu is the tanh approximation. The loss
 * is the mean cross-entropy over all tokens. Matrices are [inputs, outputs]. A step computes the loss and all gradients and
 * updates all parameters by AdamW.
 * @module
 */

/** Sizes of the model and its batch. */
export const model = {
  vocabulary: 256,
  width: 128,
  heads: 4,
  layers: 2,
  feedForward: 512,
  rows: 4,
  tokens: 64,
} as const

/** AdamW, with decay on matrices alone. */
export const optimizer = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 } as const

const { vocabulary, width, layers, feedForward, rows, tokens } = model

/** Shapes by name, in the order in which {@link initialParameters} draws them. */
export const parameterShapes: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
  ["embedding", [vocabulary, width]],
  ["position", [tokens, width]],
  ...Array.from({ length: layers }, (_, layer) =>
    ([
      ["norm1.weight", [width]],
      ["norm1.bias", [width]],
      ["qkv.weight", [width, 3 * width]],
      ["qkv.bias", [3 * width]],
      ["out.weight", [width, width]],
      ["out.bias", [width]],
      ["norm2.weight", [width]],
      ["norm2.bias", [width]],
      ["up.weight", [width, feedForward]],
      ["up.bias", [feedForward]],
      ["down.weight", [feedForward, width]],
      ["down.bias", [width]],
    ] as const).map(([name, shape]) => [`layer.${layer}.${name}`, shape] as const)).flat(),
  ["norm.weight", [width]],
  ["norm.bias", [width]],
  ["head", [width, vocabulary]],
]

/** A generator that any language repeats exactly (Lehmer, modulus 2^31 - 1). */
export const generator = (seed: number): () => number => {
  let state = seed
  return () => (state = (state * 48271) % 2147483647)
}

/** Matrices uniform with standard deviation 0.02, norm weights one, biases zero. */
export const initialParameters = (): Map<string, Float32Array<ArrayBuffer>> => {
  const next = generator(1)
  return new Map(parameterShapes.map(([name, shape]) => {
    const size = shape.reduce((product, n) => product * n, 1)
    const scale = 0.02 * Math.sqrt(3)
    const draw = (): number => scale * (2 * next() / 2147483647 - 1)
    const values = shape.length > 1 ? draw : name.endsWith(".weight") ? () => 1 : () => 0
    return [name, Float32Array.from({ length: size }, values)]
  }))
}

/** The batch that every step repeats: ids and the ids that follow them, both [rows, tokens]. */
export const batch = (): { readonly inputs: Int32Array<ArrayBuffer>; readonly targets: Int32Array<ArrayBuffer> } => {
  const next = generator(2)
  const text = Int32Array.from({ length: rows * (tokens + 1) }, () => next() % vocabulary)
  const part = (from: number): Int32Array<ArrayBuffer> =>
    Int32Array.from(
      { length: rows * tokens },
      (_, i) => text[Math.floor(i / tokens) * (tokens + 1) + i % tokens + from],
    )
  return { inputs: part(0), targets: part(1) }
}
