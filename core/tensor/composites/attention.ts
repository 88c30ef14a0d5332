import { mul, where } from "../elementwise.ts"
import { matmul } from "../matmul.ts"
import { sameShape, show } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"
import { reshape } from "../views.ts"
import { softmax } from "./softmax.ts"

// A finite score keeps rows without any visible key (padding) free of NaN.
const HIDDEN = -1e30

/** Scaled dot-product attention; attribute `scale`. Its derivative is that of its parts. */
export const attentionOperation: Operation = {
  name: "attention",
  decompose: ({ inputs: [q, k, v, mask, factor], attributes, shape }) => {
    const [batch, heads, length, width] = shape
    const [, shared, keys] = k.shape
    const grouped = reshape(q, [batch, shared, heads / shared, length, q.shape[3]])
    const [kk, vv] = [k, v].map((x) => reshape(x, [x.shape[0], shared, 1, keys, x.shape[3]]))
    const scores = mul(matmul(grouped, kk, { transposeB: true }), attributes.scale as number)
    const visible = where(reshape(mask, [mask.shape[0], 1, 1, ...mask.shape.slice(1)]), scores, HIDDEN)
    const plain = softmax(visible)
    const weights = factor === undefined ? plain : mul(plain, reshape(factor, plain.shape))
    return reshape(matmul(weights, vv), [batch, heads, length, width])
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
 * `mask` [B or 1, T or 1, S] is not 0. Gives [B, heads, T, E].
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, options: AttentionOptions = {}): Tensor {
  const [batch, heads, length, width] = q.shape
  if (heads % k.shape[1] !== 0 || k.shape[3] !== width || v.shape[2] !== k.shape[2] || mask.shape.length !== 3) {
    throw new ShapeError({
      message: `Attention of q ${show(q.shape)}, k ${show(k.shape)}, v ${show(v.shape)}, mask ${
        show(mask.shape)
      } does not fit`,
    })
  }
  const { factor, scale = 1 / Math.sqrt(width) } = options
  const inputs = factor === undefined ? [q, k, v, mask] : [q, k, v, mask, factor]
  if (factor !== undefined && !sameShape(factor.shape, [batch, heads, length, k.shape[2]])) {
    throw new ShapeError({
      message: `A factor of ${show(factor.shape)} does not fit weights [${[batch, heads, length, k.shape[2]]}]`,
    })
  }
  return node(attentionOperation, inputs, [batch, heads, length, v.shape[3]], "f32", { scale })
}
