import { broadcastBox, isWholeAxis, wholeBox } from "../box.ts"
import { add, exp, lessEqual, log, mul, sub, tanh, where } from "../operations/elementwise.ts"
import { gather } from "../operations/indexing.ts"
import { matmul } from "../operations/matmul.ts"
import { expand, sum, sumTo } from "../operations/broadcast.ts"
import { maximum } from "../operations/reduce.ts"
import { sameShape, type Shape, show } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { type Box, node, type Operation, type Tensor } from "../tensor.ts"
import { narrow, pad, permute, reshape, stopGradient } from "../operations/views.ts"
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
  /** Keys [B, shared, S, D], or [pages, shared, P, D]. */
  readonly k: Tensor
  /** Values [B, shared, S, E], or [pages, shared, P, E]. */
  readonly v: Tensor
  /** Added to the scores: [B or 1, heads or 1, T or 1, S or 1]. */
  readonly bias?: Tensor | undefined
  /** Multiplies the weights: [B, heads, T, P]; that of key j is in column j % P. */
  readonly factor?: Tensor | undefined
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
  const { q, bias, factor } = inputs
  const [k, v] = [inputs.k, inputs.v].map((x) => fromPages(x, inputs.pages))
  const [batch, heads, length] = q.shape
  const [, shared, keys] = k.shape
  const inGroups = (x: Tensor) => reshape(x, [batch, shared, heads / shared, length, ...x.shape.slice(3)])
  const alone = (x: Tensor) => reshape(x, [batch, shared, 1, keys, x.shape[3]])
  const matrix = visibleMatrix(inputs, attributes, keys)
  const visible = reshape(matrix, [matrix.shape[0], 1, 1, ...matrix.shape.slice(1)])
  const { scale, softCap } = attributes as { readonly scale: number; readonly softCap?: number }
  const plain = mul(matmul(inGroups(q), alone(k), { transposeB: true }), scale)
  const products = softCap === undefined ? plain : mul(tanh(mul(plain, 1 / softCap)), softCap)
  const ofHeads = (x: Tensor) => {
    const [rows, own, ...rest] = x.shape
    return reshape(x, [rows, ...(own === 1 ? [1, 1] : [shared, heads / shared]), ...rest])
  }
  const scores = where(visible, bias === undefined ? products : add(products, ofHeads(bias)), HIDDEN)
  const column = (x: Tensor) => reshape(x, [...scores.shape.slice(0, 4), 1])
  const times = (x: Tensor) => factor === undefined ? x : mul(x, reshape(repeatAlong(factor, keys), scores.shape))
  return { inputs, scores, visible, inGroups, column, times, v: alone(v), k: alone(k) }
}

/** Keys or values of each row: [pages, shared, P, width] to [B, shared, S, width]. */
function fromPages(x: Tensor, pages: Tensor | undefined): Tensor {
  if (pages === undefined) return x
  const [count, shared, size, width] = x.shape, [batch, each] = pages.shape
  const rows = gather(reshape(exchange(x), [count, size * shared * width]), reshape(pages, [batch * each]))
  return exchange(reshape(rows, [batch, each * size, shared, width]))
}

/** [B, heads, T, P] to [B, heads, T, keys]: columns again and again. */
function repeatAlong(x: Tensor, keys: number): Tensor {
  const rows = x.shape.slice(0, 3), period = x.shape[3]
  if (period === keys) return x
  const times = Math.ceil(keys / period)
  const repeated = expand(reshape(x, [...rows, 1, period]), [...rows, times, period])
  return narrow(reshape(repeated, [...rows, times * period]), 3, 0, keys)
}

/** The sum of the columns that {@link repeatAlong} makes of one. */
function sumAlong(x: Tensor, period: number): Tensor {
  const rows = x.shape.slice(0, 3), keys = x.shape[3]
  if (period === keys) return x
  const times = Math.ceil(keys / period)
  const whole = pad(x, [0, 0, 0, 0], [0, 0, 0, times * period - keys])
  return sum(reshape(whole, [...rows, times, period]), [3])
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
    if (inputs.pages !== undefined) {
      throw new ShapeError({ message: "Attention over pages has no derivative: give keys and values in rows to train" })
    }
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
      const share = reshape(value, [batch, heads, length, keys])
      return of === "bias" ? sumTo(share, x.shape) : sumAlong(share, x.shape[3])
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
    const inputs = attentionInputs(n)
    return Object.entries(inputs).map(([name, { shape }]): Box =>
      inputs.pages !== undefined && (name === "k" || name === "v") ? wholeBox(shape) : broadcastBox(
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

/** The same with the attribute `softCap`: no kernel has it, so that backends make a matrix of scores. */
export const cappedAttentionOperation: Operation = {
  name: "cappedAttention",
  decompose: attentionOperation.decompose!,
  slice: attentionOperation.slice!,
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
  readonly scale?: number | undefined
  /**
   * What scaled scores s are bounded by before a bias is added: softCap tanh(s / softCap), greater than 0. Such attention
   * makes a matrix of scores. Default: none.
   */
  readonly softCap?: number | undefined
  /** f32, added to the scaled scores: [B or 1, heads or 1, T or 1, S or 1], as relative positions. Default: none. */
  readonly bias?: Tensor | undefined
  /**
   * Multiplies the weights after the softmax: [B, heads, T, P], P from 1 to S; key j takes column j % P. Dropout of ones
   * makes it dropout of the weights.
   */
  readonly factor?: Tensor | undefined
}

/**
 * softmax(q k^T scale + bias) v (Vaswani et al. 2017) with grouped heads (Ainslie et al. 2023): q [B, heads, T, D],
 * k [B, shared, S, D], v [B, shared, S, E]; `heads` a multiple of `shared`. A query that sees no key gives zeros. Gives
 * [B, heads, T, E]. Where the visibility names pages, k is a pool [pages, P, shared, D] and v one [pages, P, shared, E].
 * Throws {@link ShapeError} where shapes do not fit.
 *
 * A derivative by q, k or v makes no matrix of scores. One by bias or factor makes two of [B, heads, T, S], the scores and
 * the derivatives of the weights, and sums their combination to the operand's shape.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  visibility: Visibility = {},
  options: AttentionOptions = {},
): Tensor {
  const { bias, factor, softCap, scale = 1 / Math.sqrt(q.shape[3]) } = options
  const [batch, heads, length] = q.shape, inPages = visibility.pages !== undefined
  const keys = checkShapes({ q, k, v, bias, factor }, visibility.pages)
  const { attributes, operands } = visibilityOf(visibility, batch, length, keys)
  const [ownKeys, ownValues] = inPages ? [exchange(k), exchange(v)] : [k, v]
  const more = { ...(bias ? { bias } : {}), ...(factor ? { factor } : {}) }
  const inputs = { q, k: ownKeys, v: ownValues, ...operands, ...more }
  const shape = [batch, length, heads, v.shape[3]]
  if (softCap === undefined) return exchange(make(attentionOperation, inputs, shape, { scale, ...attributes }))
  if (!(softCap > 0)) throw new ShapeError({ message: `softCap of attention is greater than 0, got ${softCap}` })
  return exchange(make(cappedAttentionOperation, inputs, shape, { scale, softCap, ...attributes }))
}

/** Checks what {@link attention} is given, and finds the number of keys. */
function checkShapes(
  { q, k, v, bias, factor }: Readonly<Record<"q" | "k" | "v", Tensor> & Record<"bias" | "factor", Tensor | undefined>>,
  pages: Tensor | undefined,
): number {
  const wrong = (message: string) => new ShapeError({ message })
  const other = [q, k, v, bias, factor].find((x) => x !== undefined && x.dtype !== "f32")
  if (other !== undefined) {
    throw wrong(`Attention takes q, k, v, bias and factor in f32, got ${other.dtype}${show(other.shape)}`)
  }
  const [batch, heads, length, width] = q.shape
  const fits = (shared: number) =>
    sameShape(k.shape.slice(0, 3), v.shape.slice(0, 3)) && heads % shared === 0 && k.shape[3] === width
  const shapes = `q ${show(q.shape)}, k ${show(k.shape)}, v ${show(v.shape)}`
  if (pages === undefined) {
    if (k.shape[0] !== batch || !fits(k.shape[1])) throw wrong(`Attention of ${shapes} does not fit`)
  } else {
    const [rows, ...rest] = pages.shape, size = k.shape[1]
    if (
      pages.dtype !== "i32" || rows !== batch || rest.length !== 1 || size === 0 || size % 8 !== 0 || !fits(k.shape[2])
    ) {
      throw wrong(
        `Attention over pages takes pages i32[${batch}, n] and k, v [pages, P, heads, width], P a multiple of 8, got ` +
          `pages ${pages.dtype}${show(pages.shape)}, ${shapes}`,
      )
    }
  }
  const keys = pages === undefined ? k.shape[2] : pages.shape[1] * k.shape[1]
  const weights = [batch, heads, length, keys]
  const period = factor?.shape[3] ?? keys
  const repeats = period >= Math.min(1, keys) && period <= keys
  if (factor !== undefined && !(sameShape(factor.shape, [batch, heads, length, period]) && repeats)) {
    throw wrong(`A factor of ${show(factor.shape)} does not fit weights ${show(weights)}`)
  }
  if (bias && !(bias.shape.length === 4 && weights.every((extent, i) => [1, extent].includes(bias.shape[i])))) {
    throw wrong(`A bias of ${show(bias.shape)} does not fit scores ${show(weights)}`)
  }
  return keys
}
