/**
 * PCGrad (Yu et al. 2020, algorithm 1): each task's gradient g is projected, one after the other, onto the normal plane of
 * every other task's gradient h that it points against, g - (g h) / (h h) h.
 *
 * What comes out is a sum of the tasks' gradients. So only their products are needed, once, and the algorithm itself runs
 * on a matrix of coefficients, a row for each task.
 * @module
 */
import type { Gradients, StepTransform, TaskTransformContext } from "../../core/contracts/gradient_transform.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"

type ByTask = ReadonlyMap<string, Gradients>

/** Tells its random numbers from those of other transforms. */
const SALT = 0x70636772

/** PCGrad in the parameters that all tasks share. */
export const pcgrad: StepTransform<ByTask, TaskTransformContext> = {
  update: (tasks, state, { shared, key }) => {
    const names = [...tasks.keys()].sort()
    const keys = [...tasks.get(names[0])!.keys()].filter((key) => shared.has(key))
    if (names.length < 2 || keys.length === 0) return [tasks, state]
    const gradients = names.map((name) => tasks.get(name)!)
    const rows = coefficients(productsOf(gradients, keys), drawOrder(names.length, key))
    const projected = (row: number, key: string) =>
      gradients.map((own, i) => ops.mul(ops.reshape(ops.slice(rows, [row, i], [1, 1]), []), own.get(key)!))
        .reduce((a, b) => ops.add(a, b))
    const changed = [...tasks].map(([name, own]) => {
      const row = names.indexOf(name)
      const each = [...own].map(([key, gradient]) => [key, shared.has(key) ? projected(row, key) : gradient] as const)
      return [name, new Map(each)] as const
    })
    return [new Map(changed), state]
  },
}

/** Products of all pairs of gradients, [K, K]. */
function productsOf(gradients: ReadonlyArray<Gradients>, keys: ReadonlyArray<string>): Tensor {
  const product = (a: Gradients, b: Gradients) =>
    keys.map((key) => ops.sum(ops.mul(a.get(key)!, b.get(key)!))).reduce((a, b) => ops.add(a, b))
  const above = gradients.map((a, i) => gradients.slice(i).map((b) => product(a, b)))
  const all = gradients.flatMap((_, i) => gradients.map((_, j) => above[Math.min(i, j)][Math.abs(i - j)]))
  return ops.reshape(ops.concat(all.map((one) => ops.reshape(one, [1])), 0), [gradients.length, gradients.length])
}

/** The place of each task (column) in the random order of a task (row); its own is the last: f32 [K, K]. */
export function drawOrder(count: number, key: TaskTransformContext["key"]): Tensor {
  const own = ops.equal(ops.iota([count, 1], 0), ops.iota([1, count], 1))
  const numbers = ops.where(own, 2, ops.uniform([count, count], SALT, key))
  const [one, other] = [ops.reshape(numbers, [count, 1, count]), ops.reshape(numbers, [count, count, 1])]
  // Equal numbers come in the order of the tasks.
  const earlier = ops.less(ops.iota([1, 1, count], 2), ops.iota([1, count, 1], 1))
  const before = ops.where(ops.less(one, other), 1, ops.where(ops.equal(one, other), ops.toFloat(earlier), 0))
  return ops.sum(before, [2])
}

/** What each projected gradient (row) takes of each task's own (column), [K, K], from their products and orders. */
export function coefficients(products: Tensor, order: Tensor): Tensor {
  const [count] = products.shape
  const identity = ops.toFloat(ops.equal(ops.iota([count, 1], 0), ops.iota([1, count], 1)))
  const squares = ops.sum(ops.mul(products, identity), [0], { keepDims: true })
  let rows = identity
  for (let place = 0; place < count - 1; place++) {
    const chosen = ops.toFloat(ops.equal(order, place))
    const along = ops.sum(ops.mul(ops.matmul(rows, products), chosen), [1], { keepDims: true })
    const square = ops.sum(ops.mul(squares, chosen), [1], { keepDims: true })
    const factor = ops.div(ops.min(along, 0), ops.max(square, 1e-30))
    rows = ops.sub(rows, ops.mul(factor, chosen))
  }
  return rows
}
