/**
 * Random graphs over the operations: what no one thinks to write by hand.
 * @module
 */
import type { Graph } from "../../../core/graph/build.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { sameShape, type Shape, sizeOf } from "../../../core/tensor/shape.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"

/** A graph with data for its inputs and slots. */
export interface RandomGraph {
  readonly graph: Graph
  readonly inputs: Record<string, Float64Array>
  /** Contents by slot number. */
  readonly slots: Map<number, Float64Array>
  /** Its f32 inputs, to differentiate by. */
  readonly leaves: ReadonlyArray<Tensor>
}

/** The graph of a seed; a smooth one has derivatives everywhere. Values stay near 1. */
export function randomGraph(seed: number, smooth = false): RandomGraph {
  const rng = makeRng(seed, 77)
  const pick = <A>(items: ReadonlyArray<A>): A => items[rng.int(items.length)]
  const shapes = [0, 1].map(() => Array.from({ length: rng.int(4) }, () => pick([1, 2, 3, 5, 8])))
  const anyShape = () => {
    const shape = pick(shapes).map((extent) => rng.int(5) === 0 ? 1 : extent)
    return rng.int(3) === 0 ? rng.shuffle(shape) : shape
  }
  const numbers = (shape: Shape) => new Float64Array(sizeOf(shape)).map(() => Math.fround(2 * rng.float() - 1))
  const leaves = [0, 1, 2].map((i) => ops.input(`x${i}`, anyShape()))
  const shared = anyShape()
  const references = [0, 1, 2].map((id) => ({
    id,
    name: `s${id}`,
    shape: rng.int(2) === 0 ? shared : anyShape(),
    dtype: "f32" as const,
  }))
  const slots = references.map(ops.slot)
  const pool: Tensor[] = [...leaves, ...slots]
  const any = () => pool[rng.int(3) === 0 ? rng.int(pool.length) : Math.max(0, pool.length - 1 - rng.int(4))]
  const axis = (x: Tensor) => rng.int(x.shape.length)

  /** A tensor brought to a shape, by views where that goes. */
  const fit = (x: Tensor, shape: Shape): Tensor => {
    if (sameShape(x.shape, shape)) return x
    const [flat, size] = [ops.reshape(x, [-1]), sizeOf(shape)]
    const [length] = flat.shape
    if (length === size) return ops.reshape(x, shape)
    if (length > size) return ops.reshape(ops.narrow(flat, 0, length - size, length), shape)
    return length === 1 ? ops.expand(flat, shape) : ops.reshape(ops.pad(flat, [1], [size - 1 - length]), shape)
  }
  /** Broadcast against a tensor: some axes cut to 1, leading ones left out. */
  const partner = (x: Tensor): Tensor => {
    const shape = x.shape.map((extent) => rng.int(4) === 0 ? 1 : extent).slice(rng.int(4) === 0 ? axis(x) : 0)
    return fit(any(), shape)
  }
  const views: ReadonlyArray<(x: Tensor) => Tensor> = [
    (x) => ops.permute(x, rng.shuffle(x.shape.keys())),
    (x) => ops.reshape(x, rng.shuffle(x.shape)),
    (x) => ops.reshape(x, rng.int(2) === 0 ? [-1] : [1, ...x.shape, 1]),
    (x) => x.shape.length === 0 ? x : ops.flip(x, axis(x)),
    (x) => ops.expand(x, [pick([1, 2, 3]), ...x.shape]),
    (x) => {
      const starts = x.shape.map((extent) => rng.int(extent))
      return ops.slice(x, starts, x.shape.map((extent, a) => 1 + rng.int(extent - starts[a])))
    },
  ]
  const moves: ReadonlyArray<(x: Tensor) => Tensor> = [
    (x) => ops.pad(x, x.shape.map(() => rng.int(2)), x.shape.map(() => rng.int(3))),
    (x) => x.shape.length === 0 ? x : ops.concat([x, fit(any(), x.shape), ops.tanh(x)], axis(x)),
    (x) => {
      const table = ops.reshape(x, [x.shape[0] ?? 1, -1])
      return ops.gather(table, ops.constant(Int32Array.from([0, 2, 1, 0], (i) => i % table.shape[0]), [2, 2]))
    },
    (x) => {
      const updates = ops.reshape(x, [x.shape[0] ?? 1, -1])
      const indices = Int32Array.from({ length: updates.shape[0] }, () => rng.int(4))
      return ops.scatterAdd(ops.constant(indices, [indices.length]), updates, 4)
    },
  ]
  const reduces: ReadonlyArray<(x: Tensor) => Tensor> = [
    (x) => {
      const axes = [...x.shape.keys()].filter(() => rng.int(2) === 0)
      return ops.mean(x, axes, { keepDims: rng.int(2) === 0 })
    },
    (x) => x.shape.length === 0 ? x : ops.softmax(x),
    (x) => ops.sub(x, ops.mean(x, x.shape.length === 0 ? [] : [-1], { keepDims: true })),
    (x) => {
      const axes = [...x.shape.keys()].filter(() => rng.int(2) === 0)
      return smooth ? ops.mul(ops.sum(x, axes), 0.3) : ops.maximum(x, axes, { keepDims: rng.int(2) === 0 })
    },
    (x) => {
      const a = x.shape.length < 2 ? ops.reshape(x, [1, -1]) : x
      const n = pick([1, 3, 8])
      const turned = rng.int(2) === 0
      const k = a.shape.at(-1)!
      const batch = rng.int(2) === 0 ? [] : a.shape.slice(0, -2).map((extent) => rng.int(2) === 0 ? 1 : extent)
      const b = fit(any(), [...batch, ...turned ? [n, k] : [k, n]])
      return ops.mul(ops.matmul(a, b, { transposeB: turned }), 1 / k)
    },
  ]
  const elements: ReadonlyArray<(x: Tensor) => Tensor> = [
    (x) => ops.add(x, partner(x)),
    (x) => ops.mul(x, partner(x)),
    (x) => ops.sub(partner(x), x),
    (x) => ops.div(x, ops.add(ops.exp(ops.tanh(partner(x))), 1)),
    ops.tanh,
    ops.sigmoid,
    (x) => ops.mul(ops.neg(x), pick([0.5, 1, 0])),
    (x) => ops.where(ops.less(x, smooth ? -1e9 : 0.1234), partner(x), x),
    (x) => {
      const a = Math.max(0, x.shape.length - 1 - rng.int(2))
      return x.shape.length === 0 ? x : ops.mul(x, ops.mul(ops.toFloat(ops.iota(x.shape, a)), 0.1))
    },
    (x) => smooth ? ops.erf(x) : ops.max(x, partner(x)),
  ]
  const length = 4 + rng.int(12)
  for (let turn = 0; turn < length; turn++) {
    const made = pick(pick([views, moves, reduces, elements, elements]))(any())
    if (sizeOf(made.shape) <= 600 && made.shape.length < 6) pool.push(made)
  }

  const outputs = Object.fromEntries([0, 1, 2].map((i) => [`y${i}`, rng.int(5) === 0 ? pick(slots) : any()]))
  const updates = references.filter(() => rng.int(4) > 0).map((reference) => {
    const source = pick([() => pick(Object.values(outputs)), () => pick(slots), any, any])()
    const changed = rng.int(4) === 0 ? pick(views)(source) : source
    return [reference, fit(changed, reference.shape)] as const
  })
  return {
    graph: { name: `random ${seed}`, outputs, updates },
    inputs: Object.fromEntries(leaves.map((x, i) => [`x${i}`, numbers(x.shape)])),
    slots: new Map(references.map(({ id, shape }) => [id, numbers(shape)])),
    leaves,
  }
}
