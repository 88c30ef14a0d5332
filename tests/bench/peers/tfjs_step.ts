/**
 * The small step on `@tensorflow/tfjs`, `wasm` or `webgpu`: its own gradients and Adam, decay by hand.
 *
 * The packages are imported by computed names and so stay out of deno.lock: with them in it, whoever runs anything of this
 * repository would download 300 MB. Hence no types.
 * @module
 */
import { versions } from "../peers.ts"
import { serve } from "../serve.ts"
import { batch, initialParameters, model, optimizer, parameterShapes } from "../small_step.ts"

const device = Deno.args[0]
const { default: tf } = await import(`npm:@tensorflow/tfjs@${versions.tfjs}`)
await import(`npm:@tensorflow/tfjs-backend-${device}@${versions.tfjs}`)
if (!await tf.setBackend(device)) throw new Error(`tfjs has no backend "${device}" here`)
await tf.ready()

type Tensor = ReturnType<typeof tf.tensor>

const { width, heads, layers, vocabulary, rows, tokens } = model
const { learningRate, beta1, beta2, epsilon, weightDecay } = optimizer

const initial = initialParameters()
const parameters = new Map<string, Tensor>(
  parameterShapes.map(([name, shape]) => [name, tf.variable(tf.tensor(initial.get(name)!, [...shape]), true, name)]),
)
const at = (name: string): Tensor => parameters.get(name)
const { inputs, targets } = batch()
// Products with one-hot rows: the derivative of a gather is not there on wasm.
const x = tf.oneHot(tf.tensor1d(inputs, "int32"), vocabulary).toFloat()
const y = tf.oneHot(tf.tensor1d(targets, "int32"), vocabulary).toFloat()
const hidden = tf.tensor(
  Float32Array.from({ length: tokens * tokens }, (_, i) => i % tokens <= Math.floor(i / tokens) ? 0 : -1e30),
  [tokens, tokens],
)

const linear = (h: Tensor, name: string): Tensor => tf.matMul(h, at(`${name}.weight`)).add(at(`${name}.bias`))
const layerNorm = (h: Tensor, name: string): Tensor => {
  const centered = h.sub(h.mean(-1, true))
  const variance = centered.square().mean(-1, true)
  return centered.div(variance.add(1e-5).sqrt()).mul(at(`${name}.weight`)).add(at(`${name}.bias`))
}
const gelu = (h: Tensor): Tensor =>
  h.mul(0.5).mul(h.add(h.mul(h).mul(h).mul(0.044715)).mul(Math.sqrt(2 / Math.PI)).tanh().add(1))
const split = (h: Tensor): Tensor => h.reshape([rows, tokens, heads, width / heads]).transpose([0, 2, 1, 3])
const loss = (): Tensor => {
  const position = at("position").expandDims(0).tile([rows, 1, 1]).reshape([rows * tokens, width])
  let h = tf.matMul(x, at("embedding")).add(position)
  for (let layer = 0; layer < layers; layer++) {
    const name = `layer.${layer}`
    const [q, k, v] = tf.split(linear(layerNorm(h, `${name}.norm1`), `${name}.qkv`), 3, -1).map(split)
    const scores = tf.matMul(q, k, false, true).mul(1 / Math.sqrt(width / heads)).add(hidden)
    const mixed = tf.matMul(tf.softmax(scores), v).transpose([0, 2, 1, 3]).reshape([rows * tokens, width])
    h = h.add(linear(mixed, `${name}.out`))
    h = h.add(linear(gelu(linear(layerNorm(h, `${name}.norm2`), `${name}.up`)), `${name}.down`))
  }
  const logits = tf.matMul(layerNorm(h, "norm"), at("head"))
  return tf.logSoftmax(logits).mul(y).sum().mul(-1 / (rows * tokens))
}

const adam = tf.train.adam(learningRate, beta1, beta2, epsilon)
await serve(async () => {
  const value = tf.tidy(() => {
    const { value, grads } = tf.variableGrads(loss)
    for (const parameter of parameters.values()) {
      if (parameter.rank > 1) parameter.assign(parameter.mul(1 - learningRate * weightDecay))
    }
    adam.applyGradients(grads)
    return value
  })
  // Updates are queued behind each other on a GPU: a parameter that was updated last tells that all are done.
  const last = [...parameters.values()].at(-1).slice([0, 0], [1, 1])
  const [[number]] = await Promise.all([value.data(), last.data()])
  value.dispose()
  last.dispose()
  return number
})
Deno.exit(0)
