/**
 * A Llama and a DistilBERT of one row in float64, in plain arrays: what virtual tokens do to them, written down anew.
 * @module
 */

/** A vector. */
export type Vector = ReadonlyArray<number>
/** Rows of a matrix. */
export type Rows = ReadonlyArray<Vector>

/** What comes before a row. */
export interface Before {
  /** Keys and values by the path of their attention, each [length][heads * headDim]. */
  readonly prefix?: (path: string) => { readonly keys: Rows; readonly values: Rows }
  /** Rows before the embedded tokens. */
  readonly rows?: Rows
  /** Is told each attention's own keys and values (of the DistilBERT). */
  readonly see?: (path: string, keys: Rows, values: Rows) => void
}

/** Parameters by key. */
export type Weights = ReadonlyMap<string, ArrayLike<number>>

const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * b[i], 0)
/** The sum. */
export const plus = (a: Vector, b: Vector): Vector => a.map((x, i) => x + b[i])

/** Rows of a matrix of a width. */
export function rowsOf(values: ArrayLike<number>, width: number): Rows {
  const all = Array.from(values)
  return Array.from({ length: all.length / width }, (_, i) => all.slice(i * width, (i + 1) * width))
}

/** W x, and a bias where there is one. */
export function linear(weights: Weights, path: string, x: Vector): Vector {
  const y = rowsOf(weights.get(`${path}.weight`)!, x.length).map((row) => dot(row, x))
  const bias = weights.get(`${path}.bias`)
  return bias === undefined ? y : plus(y, Array.from(bias))
}

function softmax(scores: Vector): Vector {
  const most = Math.max(...scores)
  const powers = scores.map((score) => Math.exp(score - most))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

/** x sigmoid(x). */
export const silu = (x: number): number => x / (1 + Math.exp(-x))

/** Layer normalization, whose bias may be missing. */
export function layerNorm(weights: Weights, path: string, x: Vector, epsilon: number): Vector {
  const mean = x.reduce((a, b) => a + b, 0) / x.length
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length
  const [weight, bias] = ["weight", "bias"].map((name) => weights.get(`${path}.${name}`))
  return x.map((value, i) => (value - mean) / Math.sqrt(variance + epsilon) * weight![i] + (bias?.[i] ?? 0))
}

/** Heads turned to a position (Su et al. 2021), each half a head apart. */
export function rotate(x: Vector, position: number, headDim: number, theta: number): Vector {
  return x.map((value, at) => {
    const [i, half] = [at % headDim, headDim / 2]
    const angle = position * theta ** (-2 * (i % half) / headDim)
    return value * Math.cos(angle) + (i < half ? -x[at + half] : x[at - half]) * Math.sin(angle)
  })
}

/** One query over keys and values, head by head; heads of keys may be fewer. `bias` is added to the score of a key. */
export function attend(
  query: Vector,
  keys: Rows,
  values: Rows,
  headDim: number,
  bias: (head: number, key: number) => number = () => 0,
): Vector {
  const [heads, groups] = [query.length / headDim, keys[0].length / headDim]
  const part = (row: Vector, head: number) => row.slice(head * headDim, (head + 1) * headDim)
  return Array.from({ length: heads }, (_, head) => {
    const group = Math.floor(head * groups / heads)
    const scores = keys.map((key, at) => dot(part(query, head), part(key, group)) / Math.sqrt(headDim) + bias(head, at))
    const found = softmax(scores)
    return Array.from({ length: headDim }, (_, i) => dot(found, values.map((value) => part(value, group)[i])))
  }).flat()
}

/** Sizes of a Llama, as in its config. */
export interface LlamaSizes {
  readonly hidden_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly rms_norm_eps: number
  /** Whether a token sees no later ones. Default true. */
  readonly causal?: boolean
}

/** Hidden states of a row's tokens in a Llama of theta 10000. */
export function llama(sizes: LlamaSizes, weights: Weights, tokens: Vector, { prefix, rows = [] }: Before): Rows {
  const width = sizes.hidden_size
  const headDim = width / sizes.num_attention_heads
  const norm = (path: string, x: Vector) => {
    const scale = Math.sqrt(dot(x, x) / width + sizes.rms_norm_eps)
    return x.map((value, i) => value / scale * weights.get(`${path}.weight`)![i])
  }
  const table = rowsOf(weights.get("model.embed_tokens.weight")!, width)
  let states: Rows = [...rows, ...tokens.map((token) => table[token])]
  for (let layer = 0; layer < sizes.num_hidden_layers; layer++) {
    const path = `model.layers.${layer}`
    const { keys: before = [], values = [] } = prefix?.(`${path}.self_attn`) ?? {}
    const product = (name: string, turned: boolean) =>
      states.map((x, t) => {
        const y = linear(weights, `${path}.self_attn.${name}`, norm(`${path}.input_layernorm`, x))
        return turned ? rotate(y, before.length + t, headDim, 10000) : y
      })
    const [q, k, v] = [product("q_proj", true), product("k_proj", true), product("v_proj", false)]
    states = states.map((x, t) => {
      const seen = sizes.causal === false ? states.length : t + 1
      const mixed = attend(q[t], [...before, ...k.slice(0, seen)], [...values, ...v.slice(0, seen)], headDim)
      const h = plus(x, linear(weights, `${path}.self_attn.o_proj`, mixed))
      const y = norm(`${path}.post_attention_layernorm`, h)
      const gate = linear(weights, `${path}.mlp.gate_proj`, y)
      const up = linear(weights, `${path}.mlp.up_proj`, y)
      return plus(h, linear(weights, `${path}.mlp.down_proj`, gate.map((g, i) => silu(g) * up[i])))
    })
  }
  return states.map((x) => norm("model.norm", x)).slice(rows.length)
}

/** Sizes of a DistilBERT, as in its config. */
export interface DistilBertSizes {
  readonly dim: number
  readonly n_layers: number
  readonly n_heads: number
}

/** Logits of a row in a DistilBERT classifier with relu. */
export function distilBert(sizes: DistilBertSizes, weights: Weights, tokens: Vector, before: Before): Vector {
  const { prefix, rows = [], see } = before
  const width = sizes.dim
  const norm = (path: string, x: Vector) => layerNorm(weights, path, x, 1e-12)
  const table = (name: string) => rowsOf(weights.get(`distilbert.embeddings.${name}.weight`)!, width)
  const [words, positions] = [table("word_embeddings"), table("position_embeddings")]
  const first = prefix?.("distilbert.transformer.layer.0.attention").keys.length ?? 0
  let states: Rows = [...rows, ...tokens.map((token) => words[token])]
    .map((x, t) => norm("distilbert.embeddings.LayerNorm", plus(x, positions[first + t])))
  for (let layer = 0; layer < sizes.n_layers; layer++) {
    const path = `distilbert.transformer.layer.${layer}`
    const own = prefix?.(`${path}.attention`)
    const [q, k, v] = ["q_lin", "k_lin", "v_lin"].map((name) =>
      states.map((x) => linear(weights, `${path}.attention.${name}`, x))
    )
    see?.(`${path}.attention`, k, v)
    const [keys, values] = [[...own?.keys ?? [], ...k], [...own?.values ?? [], ...v]]
    states = states.map((x, t) => {
      const mixed = attend(q[t], keys, values, width / sizes.n_heads)
      const h = norm(`${path}.sa_layer_norm`, plus(x, linear(weights, `${path}.attention.out_lin`, mixed)))
      const up = linear(weights, `${path}.ffn.lin1`, h).map((value) => Math.max(value, 0))
      return norm(`${path}.output_layer_norm`, plus(h, linear(weights, `${path}.ffn.lin2`, up)))
    })
  }
  const pooled = linear(weights, "pre_classifier", states[0]).map((value) => Math.max(value, 0))
  return linear(weights, "classifier", pooled)
}

/** The loss of a class. */
export function crossEntropy(logits: Vector, label: number): number {
  return -Math.log(softmax(logits)[label])
}
