/**
 * The small step on `@jax-js/jax`, `wasm` or `webgpu`: one jitted function for loss, gradients and AdamW.
 * @module
 */
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "npm:@jax-js/jax@0.1.25"
import { serve } from "../serve.ts"
import { batch, initialParameters, model, optimizer, parameterShapes } from "../small_step.ts"

type Parameters = Record<string, np.Array>

const device = Deno.args[0] as "wasm" | "webgpu"
await init(device)
defaultDevice(device)
const { width, heads, layers, vocabulary, rows, tokens } = model

const linear = (x: np.Array, p: Parameters, name: string): np.Array =>
  np.matmul(x, p[`${name}.weight`]).add(p[`${name}.bias`])
const layerNorm = (x: np.Array, p: Parameters, name: string): np.Array => {
  const centered = x.ref.sub(np.mean(x, -1, { keepdims: true }))
  const variance = np.mean(np.square(centered.ref), -1, { keepdims: true })
  return centered.div(np.sqrt(variance.add(1e-5))).mul(p[`${name}.weight`]).add(p[`${name}.bias`])
}
const loss = (p: Parameters, x: np.Array, y: np.Array): np.Array => {
  // A product with one-hot rows: a gather and its derivative took the same time there.
  let h = np.matmul(nn.oneHot(x, vocabulary), p["embedding"]).add(p["position"])
  for (let layer = 0; layer < layers; layer++) {
    const at = `layer.${layer}`
    const qkv = linear(layerNorm(h.ref, p, `${at}.norm1`), p, `${at}.qkv`)
    const [q, k, v] = np.split(qkv, 3, -1).map((part) => part.reshape([rows, tokens, heads, width / heads]))
    const mixed = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([rows, tokens, width])
    h = h.add(linear(mixed, p, `${at}.out`))
    h = h.ref.add(linear(nn.gelu(linear(layerNorm(h, p, `${at}.norm2`), p, `${at}.up`)), p, `${at}.down`))
  }
  const logits = np.matmul(layerNorm(h, p, "norm"), p["head"])
  return nn.logSoftmax(logits, -1).mul(nn.oneHot(y, vocabulary)).sum().mul(-1 / (rows * tokens))
}

const { learningRate, beta1, beta2, epsilon, weightDecay } = optimizer
/** c1 and c2 are AdamW's bias corrections, 1 - beta^t. */
const update = jit(
  (
    p: Parameters,
    m: Parameters,
    v: Parameters,
    x: np.Array,
    y: np.Array,
    c1: np.Array,
    c2: np.Array,
  ): [np.Array, Parameters, Parameters, Parameters] => {
    const [value, gradients] = valueAndGrad(loss)(tree.ref(p), x, y)
    const g = gradients as unknown as Parameters
    const m2 = tree.map((a: np.Array, b: np.Array) => a.mul(beta1).add(b.mul(1 - beta1)), m, tree.ref(g)) as Parameters
    const v2 = tree.map((a: np.Array, b: np.Array) => a.mul(beta2).add(np.square(b).mul(1 - beta2)), v, g) as Parameters
    const p2 = tree.map(
      (a: np.Array, b: np.Array, c: np.Array) =>
        a.mul(1 - learningRate * (a.ndim > 1 ? weightDecay : 0)).sub(
          b.div(c1.ref).mul(learningRate).div(np.sqrt(c.div(c2.ref)).add(epsilon)),
        ),
      p,
      tree.ref(m2),
      tree.ref(v2),
    ) as Parameters
    c1.dispose()
    c2.dispose()
    return [value, p2, m2, v2]
  },
)

const initial = initialParameters()
const each = (make: (name: string, shape: Array<number>) => np.Array): Parameters =>
  Object.fromEntries(parameterShapes.map(([name, shape]) => [name, make(name, [...shape])]))
let p = each((name, shape) => np.array(initial.get(name)!).reshape(shape))
let m = each((_, shape) => np.zeros(shape))
let v = each((_, shape) => np.zeros(shape))
const { inputs, targets } = batch()
const x = np.array(inputs).reshape([rows, tokens])
const y = np.array(targets).reshape([rows, tokens])
let t = 0

await serve(async () => {
  t++
  const [value, p2, m2, v2] = update(
    p,
    m,
    v,
    x.ref,
    y.ref,
    np.array(1 - beta1 ** t),
    np.array(1 - beta2 ** t),
  ) as [np.Array, Parameters, Parameters, Parameters]
  p = p2
  m = m2
  v = v2
  await blockUntilReady([p, m, v])
  return (await value.data())[0]
})
// The library's workers would keep the process alive.
Deno.exit(0)
