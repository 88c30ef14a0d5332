/**
 * Frees the memory of values between their uses: what a product of the backward pass reads, and is a step or two from
 * values that are kept until then anyway (a norm's output from the normed input), is computed again there.
 * @module
 */
import { attentionGradientOperation, attentionOperation } from "../tensor/composites/attention.ts"
import { matmulOperation } from "../tensor/matmul.ts"
import { sizeOf } from "../tensor/shape.ts"
import { node as make, type Tensor } from "../tensor/tensor.ts"
import { isGenerator, isLeaf, isView } from "./fuse.ts"
import { allOf } from "./_nodes.ts"
import { isElementwise } from "./simplify.ts"

/** Elements of a value that is worth it: half a mebibyte. */
const LARGE = 1 << 17
/** Products between two uses that are far from each other. */
const FAR = 8
/** Steps from what is there to what is wanted. */
const DEEPEST = 2
const cheap = new Set(["add", "sub", "mul", "neg", "max", "min", "abs"])
const heavy = new Set([matmulOperation, attentionOperation, attentionGradientOperation])

/** The same values, computed a second time where their uses lie far apart. The graph must be simplified. */
export function recomputeLate(roots: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> {
  const nodes = allOf(roots)
  /** When each is computed: a product in its place in the order, all else as soon as its inputs are there. */
  const time = new Map<Tensor, number>()
  /** Products before each time. */
  const products = [0]
  const users = new Map<Tensor, Array<Tensor>>()
  for (const [i, node] of nodes.entries()) {
    const product = heavy.has(node.operation)
    let own = product ? i : 0
    for (const x of node.inputs) {
      if (!product) own = Math.max(own, time.get(x)!)
      const others = users.get(x)!
      if (others.at(-1) !== node) others.push(node)
    }
    time.set(node, own)
    products.push(products[i] + (product ? 1 : 0))
    users.set(node, [])
  }
  const found = new Map<Tensor, ReadonlyArray<Tensor>>()
  /** Who reads a node's elements, views of it seen through, in order. */
  const readers = (node: Tensor): ReadonlyArray<Tensor> => {
    let own = found.get(node)
    if (own === undefined) {
      own = users.get(node)!.flatMap((user) => isView(user) ? readers(user) : [user])
        .sort((a, b) => time.get(a)! - time.get(b)! || a.id - b.id)
      found.set(node, own)
    }
    return own
  }
  const lastUse = (node: Tensor) => {
    const last = readers(node).at(-1)
    return last === undefined ? -1 : time.get(last)!
  }

  const kept = new Set(roots)
  const able = (node: Tensor) =>
    sizeOf(node.shape) >= LARGE && isElementwise(node) && cheap.has(node.operation.name) && !kept.has(node)
  /** What to compute again to have a value at a time, the value last; undefined where too little of it is there. */
  const again = (node: Tensor, at: number, depth: number): ReadonlyArray<Tensor> | undefined => {
    if (depth === 0 || !able(node)) return
    const chain: Array<Tensor> = []
    for (const x of node.inputs) {
      const stays = isLeaf(x) || isGenerator(x) || 4 * sizeOf(x.shape) <= sizeOf(node.shape) || lastUse(x) > at
      const more = stays ? [] : again(x, at, depth - 1)
      if (more === undefined) return
      chain.push(...more)
    }
    return [...chain, node]
  }

  /** From which time on a value's uses read it anew. */
  const from = new Map<Tensor, number>()
  for (const node of nodes) {
    if (!able(node)) continue
    const users = readers(node)
    const far = users.find((user, i) =>
      heavy.has(user.operation) &&
      products[time.get(user)!] - products[time.get(i === 0 ? node : users[i - 1])!] >= FAR
    )
    if (far === undefined) continue
    const late = time.get(far)!
    for (const each of again(node, late, DEEPEST) ?? []) from.set(each, Math.min(late, from.get(each) ?? Infinity))
  }
  if (from.size === 0) return roots

  const start = Math.min(...from.values())
  /** Nodes that are another from then on. */
  const made = new Map<Tensor, Tensor>()
  const now = (node: Tensor) => made.get(node) ?? node
  /** What is computed again, and views of it. */
  const late = new Set(from.keys())
  for (const node of nodes) if (isView(node) && late.has(node.inputs[0])) late.add(node)
  const anew = new Map<Tensor, Tensor>()
  /** An input of a node at a time: a value that is computed again, or a view of one, is made for it. */
  const inputAt = (x: Tensor, at: number): Tensor => {
    if (!late.has(x)) return now(x)
    const computed = (from.get(x) ?? Infinity) <= at
    if (!computed && !(isView(x) && inputAt(x.inputs[0], at) !== now(x.inputs[0]))) return now(x)
    let copy = anew.get(x)
    if (copy === undefined) {
      const inputs = x.inputs.map((y) => inputAt(y, at))
      const apart = computed && inputs.every((y, i) => y === now(x.inputs[i]))
      copy = make(x.operation, inputs, x.shape, x.dtype, apart ? { ...x.attributes, apart } : x.attributes)
      anew.set(x, copy)
    }
    return copy
  }
  // From the first change on all is made anew, so that nodes keep their order.
  for (const node of nodes.slice(start)) {
    if (node.inputs.length === 0) continue
    const at = time.get(node)!
    const inputs = node.inputs.map((x) => inputAt(x, at))
    made.set(node, make(node.operation, inputs, node.shape, node.dtype, node.attributes))
  }
  return roots.map(now)
}
