import type { Tensor } from "../tensor/tensor.ts"

/** Node ids per page, as a power of two. */
const PAGE = 8

/** `roots` and all nodes that they depend on, in order of creation: inputs come first. */
export function allOf(roots: Iterable<Tensor>): Tensor[] {
  const open = [...roots]
  // Indexed by id, so that nothing has to be sorted.
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
