import { broadcastBox, isWholeAxis, wholeBox } from "../box.ts"
import { add, exp, lessEqual, log, mul, sub, where } from "../elementwise.ts"
import { matmul } from "../matmul.ts"
import { maximum, sum } from "../reduce.ts"
import { sameShape, type Shape, show } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { type Attributes, type Box, node, type Operation, type Tensor } from "../tensor.ts"
import { permute, reshape, stopGradient } from "../views.ts"

/** Score of a key that a query does not see. Finite, so that differences of two stay free of NaN. */
export const HIDDEN = -1e30
/** Logarithm of the sum of a query that sees nothing: its weights exp(score - logSum) are 0. */
export const NOTHING = 1e30

// Results lie as [B, T, heads, width], as the next product wants them; everyone else sees [B, heads, T, width].
const exchange = (x: Tensor): Tensor => permute(x, [0, 2, 1, 3])

/** Scores [B, shared, group, T, S], and keys and values with an axis for the group. */
function parts([q, k, v, mask]: ReadonlyArray<Tensor>, { scale }: Attributes) {
  const [batch, heads, length] = q.shape
  const [, shared, keys] = k.shape
  const inGroups = (x: Tensor) => reshape(x, [batch, shared, heads / shared, length, ...x.shape.slice(3)])
  const alone = (x: Tensor) => reshape(x, [batch, shared, 1, keys, x.shape[3]])
  const visible = reshape(mask, [mask.shape[0], 1, 1, ...mask.shape.slice(1)])
  const scores = where(visible, mul(matmul(inGroups(q), alone(k), { transposeB: true }), scale as number), HIDDEN)
  return { scores, visible, inGroups, v: alone(v), k: alone(k) }
}

/** log sum exp of scores along the last axis, which stays. */
function logSumOf(scores: Tensor): Tensor {
  const top = stopGradient(maximum(scores, [-1], { keepDims: true }))
  const total = add(log(sum(exp(sub(scores, top)), [-1], { keepDims: true })), top)
  return where(lessEqual(top, HIDDEN), NOTHING, total)
}

/**
 * Scaled dot-product attention: [B, T, heads, E] from q, k, v, mask and perhaps a factor; attribute `scale`. Backends
 * compute it, and the two operations of its derivative, without a matrix of scores (Dao et al. 2022).
 */
export const attentionOperation: Operation = {
  name: "attention",
  kernel: "attention",
  decompose: ({ inputs, attributes, shape: [batch, length, heads, width] }) => {
    const { scores, v } = parts(inputs, attributes)
    const factor = inputs[4]
    const plain = exp(sub(scores, logSumOf(scores)))
    const weights = factor === undefined ? plain : mul(plain, reshape(factor, plain.shape))
    return exchange(reshape(matmul(weights, v), [batch, heads, length, width]))
  },
  derivative: (n, cotangent) => {
    const { inputs, attributes } = n
    const [q, k, v, mask, factor] = inputs
    const logSum = node(attentionLogSumOperation, inputs, q.shape.slice(0, 3), "f32", attributes)
    const given = exchange(cotangent)
    const delta = sum(mul(given, exchange(n)), [-1])
    const operands = [q, k, v, mask, logSum, given, delta, ...(factor === undefined ? [] : [factor])]
    const share = (of: string, [b, h, t, w]: Shape) =>
      exchange(node(attentionGradientOperation, operands, [b, t, h, w], "f32", { ...attributes, of }))
    const toFactor = () => {
      const { scores, inGroups, v } = parts(inputs, attributes)
      const weights = exp(sub(scores, reshape(logSum, [...scores.shape.slice(0, 4), 1])))
      return reshape(mul(weights, matmul(inGroups(given), v, { transposeB: true })), factor.shape)
    }
    const shares = [share("q", q.shape), share("k", k.shape), share("v", v.shape), undefined]
    return factor === undefined ? shares : [...shares, toFactor()]
  },
  slice: (n, box) => {
    const [q, k, v, mask, ...factor] = n.inputs
    const [batch, queries] = box
    if (!isWholeAxis(n, box, 2) || !isWholeAxis(n, box, 3)) return
    const ofKeys = ({ shape }: Tensor): Box => [batch, ...wholeBox(shape).slice(1)]
    const seen = broadcastBox(mask.shape, [batch, queries, [0, k.shape[2]]])
    const some = ({ shape }: Tensor): Box => [batch, [0, shape[1]], queries, [0, shape[3]]]
    return [some(q), ofKeys(k), ofKeys(v), seen, ...factor.map(some)]
  },
}

/** log sum exp of each query's scores, [B, heads, T], from the inputs of {@link attentionOperation}. */
export const attentionLogSumOperation: Operation = {
  name: "attentionLogSum",
  kernel: "attention",
  decompose: ({ inputs, attributes, shape }) => reshape(logSumOf(parts(inputs, attributes).scores), shape),
}

/**
 * Derivative of {@link attentionOperation} by the input that the attribute `of` names, laid out as its result:
 * [B, T, heads, D] or [B, S, shared, width]. Inputs: q, k, v, mask, logSum, the cotangent [B, heads, T, E], the sum over
 * E of cotangent and result (both [B, heads, T]), and perhaps the factor.
 */
export const attentionGradientOperation: Operation = {
  name: "attentionGradient",
  kernel: "attention_gradient",
  decompose: ({ inputs, attributes, shape: [batch, length, heads, width] }) => {
    const [, , , , logSum, cotangent, delta, factor] = inputs
    const { scores, visible, inGroups, k, v } = parts(inputs, attributes)
    const column = (x: Tensor) => reshape(x, [...scores.shape.slice(0, 4), 1])
    const times = (x: Tensor) => factor === undefined ? x : mul(x, reshape(factor, scores.shape))
    const weights = exp(sub(scores, column(logSum)))
    const given = inGroups(cotangent)
    const ofGroup = (x: Tensor) => sum(x, [2])
    const whole = (x: Tensor) => exchange(reshape(x, [batch, heads, length, width]))
    if (attributes.of === "v") return whole(ofGroup(matmul(times(weights), given, { transposeA: true })))
    const toWeights = times(matmul(given, v, { transposeB: true }))
    const toScores = mul(where(visible, mul(weights, sub(toWeights, column(delta))), 0), attributes.scale as number)
    return whole(
      attributes.of === "q"
        ? matmul(toScores, k)
        : ofGroup(matmul(toScores, inGroups(inputs[0]), { transposeA: true })),
    )
  },
}

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Factor of the scores. Default 1 / sqrt(width of a key). */
  readonly scale?: number
  /** Multiplies the weights after the softmax: [B, heads, T, S]. Dropout of ones makes it dropout of the weights. */
  readonly factor?: Tensor
}

/**
 * softmax(q k^T scale) v (Vaswani et al. 2017) with grouped heads (Ainslie et al. 2023): q [B, heads, T, D],
 * k [B, shared, S, D], v [B, shared, S, E]; `heads` a multiple of `shared`. Key s is visible to query t where
 * `mask` (f32) [B or 1, T or 1, S or 1] is not 0; a query that sees no key gives zeros. Gives [B, heads, T, E].
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, options: AttentionOptions = {}): Tensor {
  const [batch, heads, length, width] = q.shape
  const [, shared, keys] = k.shape
  const fits = [k, v].every((x) => sameShape(x.shape.slice(0, 3), [batch, shared, keys])) && heads % shared === 0 &&
    k.shape[3] === width && mask.shape.length === 3 &&
    [batch, length, keys].every((extent, i) => [1, extent].includes(mask.shape[i]))
  const other = [q, k, v, mask].find(({ dtype }) => dtype !== "f32")
  if (other !== undefined) {
    throw new ShapeError({ message: `Attention takes q, k, v and mask in f32, got ${other.dtype}${show(other.shape)}` })
  }
  if (!fits) {
    throw new ShapeError({
      message: `Attention of q ${show(q.shape)}, k ${show(k.shape)}, v ${show(v.shape)}, mask ${
        show(mask.shape)
      } does not fit`,
    })
  }
  const { factor, scale = 1 / Math.sqrt(width) } = options
  const inputs = factor === undefined ? [q, k, v, mask] : [q, k, v, mask, factor]
  if (factor !== undefined && !sameShape(factor.shape, [batch, heads, length, keys])) {
    throw new ShapeError({
      message: `A factor of ${show(factor.shape)} does not fit weights [${[batch, heads, length, keys]}]`,
    })
  }
  return exchange(node(attentionOperation, inputs, [batch, length, heads, v.shape[3]], "f32", { scale }))
}
