import type { Tensor } from "../tensor/tensor.ts"

/** Numbers of nodes that lie side by side, as a power of two. */
const PAGE = 8

/** All nodes that `roots` rest on, and themselves, in the order of their making: inputs come first. */
export function allOf(roots: Iterable<Tensor>): Tensor[] {
  const open = [...roots]
  // Each in its place by its number, so that nothing has to be sorted.
  const pages = new Array<Array<Tensor | undefined> | undefined>(
    1 + (open.reduce((top, { id }) => Math.max(top, id), 0) >>> PAGE),
  )
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const { id, inputs } = node
    const page = pages[id >>> PAGE] ??= new Array(1 << PAGE)
    const place = id & (1 << PAGE) - 1
    if (page[place] !== undefined) continue
    page[place] = node
    for (let i = 0; i < inputs.length; i++) open.push(inputs[i])
  }
  const nodes: Tensor[] = []
  for (const page of pages) {
    if (page !== undefined) { for (const node of page) if (node !== undefined) nodes.push(node) }
  }
  return nodes
}
