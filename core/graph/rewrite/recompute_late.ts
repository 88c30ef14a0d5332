/**
 * Frees the memory of values between their uses: what a product of the backward pass reads, and is a step or two from
 * values that are kept until then anyway (a norm's output from the normed input), is computed again there.
 * @module
 */
import { attentionGradientOperation, attentionOperation } from "../../tensor/composites/attention.ts"
import { matmulOperation } from "../../tensor/operations/matmul.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { node as make, type Tensor } from "../../tensor/tensor.ts"
import { isGenerator, isLeaf, isView } from "../fuse/fuse.ts"
import { allOf } from "../nodes.ts"
import { isElementwise } from "./simplify.ts"

/** Fewest elements of a value: half a mebibyte. */
const LARGE = 1 << 17
/** Products between two uses that are far from each other. */
const FAR = 8
/** Steps from what is there to what is wanted. */
const DEEPEST = 2
const cheap = new Set(["add", "sub", "mul", "neg", "max", "min", "abs"])
const heavy = new Set([matmulOperation, attentionOperation, attentionGradientOperation])

/** The same values, computed a second time if their uses are far apart. The graph must be simplified. */
export function recomputeLate(roots: ReadonlyArray<Tensor>): ReadonlyArray<Tensor> {
  const nodes = allOf(roots)
  const places = new Map<Tensor, number>()
  /** When each is computed: a product in its place in the order, all else as soon as its inputs are there. */
  const time = new Int32Array(nodes.length)
  /** Products before each time. */
  const products = new Int32Array(nodes.length + 1)
  // Uses of a node are a chain: its last one, and of each its user and the one before.
  const lastUses = new Int32Array(nodes.length).fill(-1)
  const users: Array<number> = [], before: Array<number> = []
  nodes.forEach((node, i) => {
    const product = heavy.has(node.operation)
    let own = product ? i : 0
    for (const x of node.inputs) {
      const place = places.get(x)!, last = lastUses[place]
      if (!product && time[place] > own) own = time[place]
      if (last >= 0 && users[last] === i) continue
      lastUses[place] = users.push(i) - 1
      before.push(last)
    }
    time[i] = own
    products[i + 1] = products[i] + (product ? 1 : 0)
    places.set(node, i)
  })
  const found = new Map<number, ReadonlyArray<number>>()
  /** Readers of a node's elements, also through views, in order. */
  const readers = (place: number): ReadonlyArray<number> => {
    let own = found.get(place)
    if (own === undefined) {
      const all: Array<number> = []
      for (let use = lastUses[place]; use >= 0; use = before[use]) {
        if (isView(nodes[users[use]])) all.push(...readers(users[use]))
        else all.push(users[use])
      }
      found.set(place, own = all.sort((a, b) => time[a] - time[b] || a - b))
    }
    return own
  }
  const lastTime = (node: Tensor) => {
    const last = readers(places.get(node)!).at(-1)
    return last === undefined ? -1 : time[last]
  }

  const kept = new Set(roots)
  const able = (node: Tensor) =>
    sizeOf(node.shape) >= LARGE && isElementwise(node) && cheap.has(node.operation.name) && !kept.has(node)
  /** What to compute again to have a value at a time, the value last; undefined where too little of it is there. */
  const again = (node: Tensor, at: number, depth: number): ReadonlyArray<Tensor> | undefined => {
    if (depth === 0 || !able(node)) return
    const chain: Array<Tensor> = []
    for (const x of node.inputs) {
      const stays = isLeaf(x) || isGenerator(x) || 4 * sizeOf(x.shape) <= sizeOf(node.shape) || lastTime(x) > at
      const more = stays ? [] : again(x, at, depth - 1)
      if (more === undefined) return
      chain.push(...more)
    }
    return [...chain, node]
  }

  /** Time from which a value's uses read its copy. */
  const from = new Map<Tensor, number>()
  nodes.forEach((node, place) => {
    if (!able(node)) return
    const users = readers(place)
    const far = users.find((user, i) =>
      heavy.has(nodes[user].operation) &&
      products[time[user]] - products[time[i === 0 ? place : users[i - 1]]] >= FAR
    )
    if (far === undefined) return
    const late = time[far]
    for (const each of again(node, late, DEEPEST) ?? []) from.set(each, Math.min(late, from.get(each) ?? Infinity))
  })
  if (from.size === 0) return roots

  const start = Math.min(...from.values())
  /** Rebuilt nodes. */
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
  // All nodes from the first change on are rebuilt, so that they keep their order.
  for (let place = start; place < nodes.length; place++) {
    const node = nodes[place]
    if (node.inputs.length === 0) continue
    const inputs = node.inputs.map((x) => inputAt(x, time[place]))
    made.set(node, make(node.operation, inputs, node.shape, node.dtype, node.attributes))
  }
  return roots.map(now)
}
