import { broadcastBox, isWholeAxis, wholeBox } from "../box.ts"
import { add, exp, lessEqual, log, mul, sub, where } from "../operations/elementwise.ts"
import { matmul } from "../operations/matmul.ts"
import { sum, sumTo } from "../operations/broadcast.ts"
import { maximum } from "../operations/reduce.ts"
import { sameShape, type Shape, show } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { type Box, node, type Operation, type Tensor } from "../tensor.ts"
import { permute, reshape, stopGradient } from "../operations/views.ts"
import { type Visibility, visibilityOf, type VisibilityOperands, visibleMatrix } from "./visibility.ts"

/** Score of a key that a query does not see. Finite, so that differences of two stay free of NaN. */
export const HIDDEN = -1e30
/** Logarithm of the sum of a query that sees nothing: its weights exp(score - logSum) are 0. */
export const NOTHING = 1e30

// Results lie as [B, T, heads, width], as the next product wants them; everyone else sees [B, heads, T, width].
const exchange = (x: Tensor): Tensor => permute(x, [0, 2, 1, 3])

/** Inputs of the operations below by name; the last four only of the derivative or where they are given. */
export interface AttentionInputs extends VisibilityOperands {
  /** Queries [B, heads, T, D]. */
  readonly q: Tensor
  /** Keys [B, shared, S, D]. */
  readonly k: Tensor
  /** Values [B, shared, S, E]. */
  readonly v: Tensor
  /** Added to the scores: [B or 1, heads or 1, T or 1, S or 1]. */
  readonly bias?: Tensor
  /** Multiplies the weights: [B, heads, T, S]. */
  readonly factor?: Tensor
  /** log sum exp of each query's scores: [B, heads, T]. */
  readonly logSum?: Tensor
  /** Of the result: [B, heads, T, E]. */
  readonly cotangent?: Tensor
  /** Sum over E of cotangent and result: [B, heads, T]. */
  readonly delta?: Tensor
}

/** Inputs of one of the operations by name. */
export const attentionInputs = ({ inputs, attributes }: Tensor): AttentionInputs =>
  Object.fromEntries((attributes.names as ReadonlyArray<string>).map((name, i) => [name, inputs[i]])) as never

const make = (
  operation: Operation,
  inputs: AttentionInputs,
  shape: Shape,
  attributes: Tensor["attributes"],
): Tensor => node(operation, Object.values(inputs), shape, "f32", { ...attributes, names: Object.keys(inputs) })

/** Scores [B, shared, group, T, S], and the rest in their groups. */
function parts(n: Tensor) {
  const { attributes } = n
  const inputs = attentionInputs(n)
  const { q, k, v, bias, factor } = inputs
  const [batch, heads, length] = q.shape
  const [, shared, keys] = k.shape
  const inGroups = (x: Tensor) => reshape(x, [batch, shared, heads / shared, length, ...x.shape.slice(3)])
  const alone = (x: Tensor) => reshape(x, [batch, shared, 1, keys, x.shape[3]])
  const matrix = visibleMatrix(inputs, attributes, keys)
  const visible = reshape(matrix, [matrix.shape[0], 1, 1, ...matrix.shape.slice(1)])
  const products = mul(matmul(inGroups(q), alone(k), { transposeB: true }), attributes.scale as number)
  const ofHeads = (x: Tensor) => {
    const [rows, own, ...rest] = x.shape
    return reshape(x, [rows, ...(own === 1 ? [1, 1] : [shared, heads / shared]), ...rest])
  }
  const scores = where(visible, bias === undefined ? products : add(products, ofHeads(bias)), HIDDEN)
  const column = (x: Tensor) => reshape(x, [...scores.shape.slice(0, 4), 1])
  const times = (x: Tensor) => factor === undefined ? x : mul(x, reshape(factor, scores.shape))
  return { inputs, scores, visible, inGroups, column, times, v: alone(v), k: alone(k) }
}

/** log sum exp of scores along the last axis, which stays. */
function logSumOf(scores: Tensor): Tensor {
  const top = stopGradient(maximum(scores, [-1], { keepDims: true }))
  const total = add(log(sum(exp(sub(scores, top)), [-1], { keepDims: true })), top)
  return where(lessEqual(top, HIDDEN), NOTHING, total)
}

/** Weights before the factor, and derivatives with respect to the weights and the scores, of a derivative's inputs. */
function gradientParts(n: Tensor) {
  const found = parts(n)
  const { inputs: { logSum, cotangent, delta }, scores, visible, inGroups, column, times, v } = found
  const weights = exp(sub(scores, column(logSum!)))
  const given = inGroups(cotangent!)
  const toWeights = matmul(given, v, { transposeB: true })
  const toScores = where(visible, mul(weights, sub(times(toWeights), column(delta!))), 0)
  return { ...found, weights, given, toWeights, toScores }
}

/**
 * Scaled dot-product attention: [B, T, heads, E] from {@link AttentionInputs}, whose names are the attribute `names`;
 * further attributes are `scale` and those of the visibility. Backends compute it, and the two operations of its
 * derivative, without a matrix of scores (Dao et al. 2022).
 */
export const attentionOperation: Operation = {
  name: "attention",
  kernel: "attention",
  decompose: (n) => {
    const { scores, v, times } = parts(n)
    const [batch, length, heads, width] = n.shape
    return exchange(reshape(matmul(times(exp(sub(scores, logSumOf(scores)))), v), [batch, heads, length, width]))
  },
  derivative: (n, result) => {
    const { attributes } = n
    const inputs = attentionInputs(n)
    const logSum = node(attentionLogSumOperation, n.inputs, inputs.q.shape.slice(0, 3), "f32", attributes)
    const cotangent = exchange(result)
    const delta = sum(mul(cotangent, exchange(n)), [-1])
    const whole = { ...inputs, logSum, cotangent, delta }
    const share = (of: string, [b, h, t, w]: Shape) =>
      exchange(make(attentionGradientOperation, whole, [b, t, h, w], { ...attributes, of }))
    // Matrices of scores: for whoever learns a bias or a factor.
    const byScore = (of: "bias" | "factor", x: Tensor) => {
      const { q: { shape: [batch, heads, length] }, k: { shape: [, , keys] } } = inputs
      const found = gradientParts(make(attentionGradientOperation, whole, [batch, length, heads, keys], attributes))
      const value = of === "bias" ? found.toScores : mul(found.weights, found.toWeights)
      return sumTo(reshape(value, [batch, heads, length, keys]), x.shape)
    }
    return Object.entries(inputs).map(([name, x]) =>
      name === "q" || name === "k" || name === "v"
        ? share(name, x.shape)
        : name === "bias" || name === "factor"
        ? byScore(name, x)
        : undefined
    )
  },
  slice: (n, box) => {
    const [batch, queries] = box
    if (!isWholeAxis(n, box, 2) || !isWholeAxis(n, box, 3)) return
    return Object.entries(attentionInputs(n)).map(([name, { shape }]): Box =>
      broadcastBox(
        shape,
        name === "queryPositions"
          ? [batch, queries]
          : ["q", "bias", "factor"].includes(name)
          ? [batch, [0, shape[1]], queries, [0, shape[3]]]
          : [batch, ...wholeBox(shape).slice(1)],
      )
    )
  },
}

/** log sum exp of each query's scores, [B, heads, T], from the inputs of {@link attentionOperation}. */
export const attentionLogSumOperation: Operation = {
  name: "attentionLogSum",
  kernel: "attention",
  decompose: (n) => reshape(logSumOf(parts(n).scores), n.shape),
}

/**
 * Derivative of {@link attentionOperation} by the input that the attribute `of` names, laid out as its result:
 * [B, T, heads, D] or [B, S, shared, width].
 */
export const attentionGradientOperation: Operation = {
  name: "attentionGradient",
  kernel: "attention_gradient",
  decompose: (n) => {
    const { attributes: { of, scale }, shape: [batch, length, heads, width] } = n
    const { inputs: { q }, k, inGroups, times, weights, given, toScores } = gradientParts(n)
    const ofGroup = (x: Tensor) => sum(x, [2])
    const whole = (x: Tensor) => exchange(reshape(x, [batch, heads, length, width]))
    if (of === "v") return whole(ofGroup(matmul(times(weights), given, { transposeA: true })))
    const scaled = mul(toScores, scale as number)
    return whole(of === "q" ? matmul(scaled, k) : ofGroup(matmul(scaled, inGroups(q), { transposeA: true })))
  },
}

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Factor of the scores. Default 1 / sqrt(width of a key). */
  readonly scale?: number
  /** f32, added to the scaled scores: [B or 1, heads or 1, T or 1, S or 1], as relative positions. Default: none. */
  readonly bias?: Tensor
  /** Multiplies the weights after the softmax: [B, heads, T, S]. Dropout of ones makes it dropout of the weights. */
  readonly factor?: Tensor
}

/**
 * softmax(q k^T scale + bias) v (Vaswani et al. 2017) with grouped heads (Ainslie et al. 2023): q [B, heads, T, D],
 * k [B, shared, S, D], v [B, shared, S, E]; `heads` a multiple of `shared`. A query that sees no key gives zeros. Gives
 * [B, heads, T, E]. Throws {@link ShapeError} where shapes do not fit.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  visibility: Visibility = {},
  options: AttentionOptions = {},
): Tensor {
  const [batch, heads, length, width] = q.shape
  const [, shared, keys] = k.shape
  const { bias, factor, scale = 1 / Math.sqrt(width) } = options
  const other = [q, k, v, bias, factor].find((x) => x !== undefined && x.dtype !== "f32")
  if (other !== undefined) {
    throw new ShapeError({
      message: `Attention takes q, k, v, bias and factor in f32, got ${other.dtype}${show(other.shape)}`,
    })
  }
  const fits = [k, v].every((x) => sameShape(x.shape.slice(0, 3), [batch, shared, keys])) && heads % shared === 0 &&
    k.shape[3] === width
  if (!fits) {
    throw new ShapeError({
      message: `Attention of q ${show(q.shape)}, k ${show(k.shape)}, v ${show(v.shape)} does not fit`,
    })
  }
  const weights = [batch, heads, length, keys]
  if (factor !== undefined && !sameShape(factor.shape, weights)) {
    throw new ShapeError({ message: `A factor of ${show(factor.shape)} does not fit weights ${show(weights)}` })
  }
  if (
    bias !== undefined &&
    !(bias.shape.length === 4 && weights.every((extent, i) => [1, extent].includes(bias.shape[i])))
  ) {
    throw new ShapeError({ message: `A bias of ${show(bias.shape)} does not fit scores ${show(weights)}` })
  }
  const { attributes, operands } = visibilityOf(visibility, batch, length, keys)
  const inputs = { q, k, v, ...operands, ...(bias ? { bias } : {}), ...(factor ? { factor } : {}) }
  return exchange(make(attentionOperation, inputs, [batch, length, heads, v.shape[3]], { scale, ...attributes }))
}
