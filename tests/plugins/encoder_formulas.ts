/**
 * Classifiers of ModernBERT, MPNet and EuroBERT of one row in float64, in plain arrays, with keys and values before the row: as
 * transformers' models compute them, but for these, which they do not take.
 * @module
 */
import { attend, type Before, layerNorm, linear, llama, plus, rotate, type Rows, rowsOf, silu } from "./formulas.ts"
import type { Vector, Weights } from "./formulas.ts"
import { smallSizes } from "./padded.ts"

/** A ModernBERT of a layer that sees all, and of one that sees two tokens on each side. */
export const modernBertConfig = {
  model_type: "modernbert",
  ...smallSizes,
  norm_eps: 1e-5,
  local_attention: 4,
  global_attn_every_n_layers: 2,
  global_rope_theta: 500,
  local_rope_theta: 50,
  hidden_activation: "silu",
  classifier_activation: "relu",
  classifier_pooling: "mean",
  pad_token_id: 0,
}

/** Logits of a row in a ModernBERT. A prefix is before every window, and seen in all. */
export function modernBert(weights: Weights, tokens: Vector, { prefix }: Before): Vector {
  const { hidden_size: width, num_attention_heads: heads, norm_eps: epsilon } = modernBertConfig
  const headDim = width / heads
  const norm = (path: string, x: Vector) => layerNorm(weights, path, x, epsilon)
  const table = rowsOf(weights.get("model.embeddings.tok_embeddings.weight")!, width)
  let states: Rows = tokens.map((token) => norm("model.embeddings.norm", table[token]))
  for (let layer = 0; layer < modernBertConfig.num_hidden_layers; layer++) {
    const path = `model.layers.${layer}`
    const isGlobal = layer % modernBertConfig.global_attn_every_n_layers === 0
    const theta = isGlobal ? modernBertConfig.global_rope_theta : modernBertConfig.local_rope_theta
    const before = prefix!(`${path}.attn`)
    const first = before.keys.length
    const all = states.map((x) => linear(weights, `${path}.attn.Wqkv`, layer === 0 ? x : norm(`${path}.attn_norm`, x)))
    const [q, k, v] = [0, 1, 2].map((part) => all.map((row) => row.slice(part * width, (part + 1) * width)))
    const [queries, keys] = [q, k].map((rows) => rows.map((x, t) => rotate(x, first + t, headDim, theta)))
    states = states.map((x, t) => {
      const isHidden = (key: number) =>
        !isGlobal && key >= first && Math.abs(key - first - t) > modernBertConfig.local_attention / 2
      const mixed = attend(
        queries[t],
        [...before.keys, ...keys],
        [...before.values, ...v],
        headDim,
        (_, key) => isHidden(key) ? -Infinity : 0,
      )
      const h = plus(x, linear(weights, `${path}.attn.Wo`, mixed))
      const both = linear(weights, `${path}.mlp.Wi`, norm(`${path}.mlp_norm`, h))
      const half = both.length / 2
      const gated = both.slice(0, half).map((value, i) => silu(value) * both[half + i])
      return plus(h, linear(weights, `${path}.mlp.Wo`, gated))
    })
  }
  const pooled = meanOf(states.map((x) => norm("model.final_norm", x)))
  const hidden = linear(weights, "head.dense", pooled).map((value) => Math.max(value, 0))
  return linear(weights, "classifier", norm("head.norm", hidden))
}

/** An MPNet. */
export const mpnetConfig = {
  model_type: "mpnet",
  ...smallSizes,
  layer_norm_eps: 1e-5,
  hidden_act: "relu",
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  pad_token_id: 1,
}

/** The bucket of a key at a distance from its query, of 32, where it is below 8. */
const bucketOf = (distance: number): number => (distance > 0 ? 16 : 0) + Math.abs(distance)

/** Logits of a row in an MPNet. A prefix is at the positions before the row, which the row's own follow. */
export function mpnet(weights: Weights, tokens: Vector, { prefix }: Before): Vector {
  const { hidden_size: width, num_attention_heads: heads, layer_norm_eps: epsilon } = mpnetConfig
  const norm = (path: string, x: Vector) => layerNorm(weights, path, x, epsilon)
  const table = (name: string) => rowsOf(weights.get(`mpnet.embeddings.${name}.weight`)!, width)
  const [words, positions] = [table("word_embeddings"), table("position_embeddings")]
  const byBucket = rowsOf(weights.get("mpnet.encoder.relative_attention_bias.weight")!, heads)
  const first = prefix!("mpnet.encoder.layer.0.attention.attn").keys.length
  let states: Rows = tokens.map((token, t) =>
    norm("mpnet.embeddings.LayerNorm", plus(words[token], positions[mpnetConfig.pad_token_id + 1 + first + t]))
  )
  for (let layer = 0; layer < mpnetConfig.num_hidden_layers; layer++) {
    const path = `mpnet.encoder.layer.${layer}`
    const before = prefix!(`${path}.attention.attn`)
    const [q, k, v] = ["q", "k", "v"].map((name) =>
      states.map((x) => linear(weights, `${path}.attention.attn.${name}`, x))
    )
    states = states.map((x, t) => {
      const mixed = attend(
        q[t],
        [...before.keys, ...k],
        [...before.values, ...v],
        width / heads,
        (head, key) => byBucket[bucketOf(key - first - t)][head],
      )
      const h = norm(`${path}.attention.LayerNorm`, plus(x, linear(weights, `${path}.attention.attn.o`, mixed)))
      const up = linear(weights, `${path}.intermediate.dense`, h).map((value) => Math.max(value, 0))
      return norm(`${path}.output.LayerNorm`, plus(h, linear(weights, `${path}.output.dense`, up)))
    })
  }
  return linear(weights, "classifier.out_proj", linear(weights, "classifier.dense", states[0]).map(Math.tanh))
}

/** A EuroBERT with grouped heads. */
export const euroBertConfig = {
  model_type: "eurobert",
  ...smallSizes,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  classifier_pooling: "late",
}

/** Logits of a row in a EuroBERT: the mean of its tokens' scores. */
export function euroBert(weights: Weights, tokens: Vector, before: Before): Vector {
  const hidden = llama({ ...euroBertConfig, causal: false }, weights, tokens, before)
  return meanOf(hidden.map((x) => linear(weights, "classifier", linear(weights, "dense", x).map(gelu))))
}

const meanOf = (rows: Rows): Vector => rows.reduce(plus).map((sum) => sum / rows.length)

/** x times the normal distribution's function of x, by the series of the error function: for x below 5. */
function gelu(x: number): number {
  const z = x / Math.SQRT2
  let term = z, sum = z
  for (let n = 1; n < 100; n++) {
    term *= -z * z / n
    sum += term / (2 * n + 1)
  }
  return x * (0.5 + sum / Math.sqrt(Math.PI))
}
