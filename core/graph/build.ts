/**
 * From tensors to a {@link Program}: simplify, fuse, decide what is stored and what is computed again, write the calls.
 * @module
 */
import type { Call, View } from "../../kernels/contract.ts"
import { gatherOperation, scatterAddOperation, updateSliceOperation } from "../tensor/indexing.ts"
import { constantOperation, inputOperation, slotOperation, type SlotReference } from "../tensor/leaves.ts"
import { matmulOperation } from "../tensor/matmul.ts"
import { sameShape, type Shape, show, sizeOf, stridesOf } from "../tensor/shape.ts"
import { ShapeError } from "../tensor/shape_error.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { concatOperation, padOperation, reshapeOperation } from "../tensor/views.ts"
import { attentionCall } from "./_attention_call.ts"
import { Body } from "./_body.ts"
import { assignSlots } from "./_assign_slots.ts"
import { fuse, isGenerator, isLeaf, type Unit } from "./fuse.ts"
import { broadcastStrides, type Layout, viewOf } from "./layout.ts"
import type { BufferSpec, Program } from "./program.ts"
import { recomputeLate } from "./recompute_late.ts"
import { isElementwise, simplify } from "./simplify.ts"
import { widen } from "./_widen.ts"

/** What a program is to give and to change. */
export interface Graph {
  /** For people: errors, listings, profiles. */
  readonly name: string
  /** Results that each run hands back. */
  readonly outputs: Readonly<Record<string, Tensor>>
  /** New values of slots. All of them, and all outputs, are made from the slots' values before the run. */
  readonly updates: ReadonlyArray<readonly [SlotReference, Tensor]>
}

/**
 * Operations that are written again where they are used, rather than stored, when that needs few loads; and what each
 * costs, where a load of a value costs 1.
 */
const cheap = new Map([
  ...["add", "sub", "mul", "neg", "where", "less", "lessEqual", "equal", "toFloat", "max", "min", "abs"].map((name) =>
    [name, 0] as const
  ),
  ["sigmoid", 0.5],
])
const DEEPEST = 4

/** Writes a program. Throws {@link ShapeError} where an update does not fit its slot or a slot has two. */
export function build(graph: Graph): Program {
  const updated = new Set<number>()
  for (const [slot, tensor] of graph.updates) {
    if (updated.has(slot.id)) {
      throw new ShapeError({ message: `Slot ${slot.name} has two new values in "${graph.name}": join them into one` })
    }
    updated.add(slot.id)
    if (!sameShape(slot.shape, tensor.shape) || slot.dtype !== tensor.dtype) {
      const value = `${tensor.dtype}${show(tensor.shape)}`
      throw new ShapeError({ message: `Slot ${slot.name} is ${slot.dtype}${show(slot.shape)}, its new value ${value}` })
    }
    if ((slot.storage ?? "f32") !== "f32") {
      const message = `Slot ${slot.name} is kept in ${slot.storage}, which would round its new value in ` +
        `"${graph.name}": programs only read it; keep it in f32`
      throw new ShapeError({ message })
    }
  }
  const names = Object.keys(graph.outputs)
  const roots = recomputeLate(
    simplify([...Object.values(graph.outputs), ...graph.updates.map(([, tensor]) => tensor)]),
  )
  const fused = fuse(roots)
  const { units, layouts, unitOf } = fused
  const baseOf = (node: Tensor) => layouts.get(node)?.base ?? node

  // What is stored, decided from the last unit to the first: only what somebody needs.
  const stored = new Set<Tensor>()
  const store = (node: Tensor) => {
    const base = baseOf(node)
    if (!isLeaf(base) && !isGenerator(base)) stored.add(base)
  }
  roots.forEach(store)
  for (const { kind, nodes: [first], product } of units) (kind === "other" ? first : product)?.inputs.forEach(store)
  const again = new Map<Unit, Set<Tensor>>()
  for (const unit of units.toReversed()) {
    if (unit.kind === "other" || !unit.nodes.some((node) => stored.has(node))) continue
    const inlined = new Set<Tensor>()
    again.set(unit, inlined)
    const operands = unit.kind === "columns"
      ? unit.nodes[0].inputs
      : [...neededMembers(unit, stored)].flatMap((node) => node.inputs).filter((x) => unitOf.get(x) !== unit)
    for (const operand of operands) {
      const plan = planAgain(operand)
      plan.inlined.forEach((node) => inlined.add(node))
      plan.loads.forEach(store)
    }
  }

  /**
   * Nodes to compute again and nodes to load for an operand, so that the least is loaded and stored: a large value that
   * nobody has stored yet costs a store beside the load, and the loads of its unit where that would run for it alone.
   */
  function planAgain(operand: Tensor): { inlined: Set<Tensor>; loads: Set<Tensor> } {
    const able = (node: Tensor) =>
      isElementwise(node) && cheap.has(node.operation.name) && unitOf.has(node) && !stored.has(node)
    if (!able(operand)) return { inlined: new Set(), loads: new Set([operand]) }
    const size = sizeOf(operand.shape)
    const kept = (node: Tensor) => {
      const unit = unitOf.get(baseOf(node))
      return unit === undefined || unit.kind === "other" || stored.has(baseOf(node))
    }
    const cost = ({ inlined, loads }: { inlined: Iterable<Tensor>; loads: Iterable<Tensor> }) => {
      let total = 0
      for (const { operation } of inlined) total += cheap.get(operation.name)!
      for (const node of loads) {
        if (sizeOf(baseOf(node).shape) * 4 <= size) continue
        const alone = !kept(node) && !unitOf.get(baseOf(node))!.nodes.some((member) => stored.has(member))
        total += kept(node) ? 1 : alone ? 4 : 2
      }
      return total
    }
    let best = { inlined: new Set<Tensor>(), loads: new Set([operand]) }
    let least = cost(best)
    let cut = true
    for (let depth = 1; cut && depth <= DEEPEST; depth++) {
      const plan = { inlined: new Set<Tensor>(), loads: new Set<Tensor>() }
      cut = false
      const visit = (node: Tensor, left: number): void => {
        if (isGenerator(node) || plan.inlined.has(node)) return
        const here = able(node)
        if (here && left === 0) cut = true
        if (!here || left === 0) plan.loads.add(node)
        else {
          plan.inlined.add(node)
          node.inputs.forEach((x) => visit(x, left - 1))
        }
      }
      visit(operand, depth)
      for (const node of plan.inlined) plan.loads.delete(node)
      const own = cost(plan)
      if (own < least) [best, least] = [plan, own]
    }
    return best
  }

  const buffers: BufferSpec[] = []
  const calls: Call[] = []
  const bufferOf = new Map<Tensor, number>()
  const slotBuffers = new Map<number, number>()
  const newBuffer = (
    size: number,
    dtype: BufferSpec["dtype"],
    source: BufferSpec["source"],
    storage?: BufferSpec["storage"],
  ) => buffers.push({ size, dtype, source, ...(storage === undefined || storage === "f32" ? {} : { storage }) }) - 1
  const temporary = (shape: Shape, dtype: BufferSpec["dtype"]) => newBuffer(sizeOf(shape), dtype, { kind: "temporary" })
  const slotBuffer = (slot: number, size: number, dtype: BufferSpec["dtype"], storage?: BufferSpec["storage"]) => {
    if (!slotBuffers.has(slot)) slotBuffers.set(slot, newBuffer(size, dtype, { kind: "slot", slot }, storage))
    return slotBuffers.get(slot)!
  }
  const buffer = (base: Tensor): number => {
    let number = bufferOf.get(base)
    if (number === undefined) {
      const { operation, attributes, shape, dtype } = base
      number = operation === slotOperation
        ? slotBuffer(attributes.slot as number, sizeOf(shape), dtype, attributes.storage as BufferSpec["storage"])
        : operation === inputOperation
        ? newBuffer(sizeOf(shape), dtype, { kind: "input", name: attributes.name as string })
        : operation === constantOperation
        ? newBuffer(sizeOf(shape), dtype, { kind: "constant", data: attributes.data as Float32Array })
        : temporary(shape, dtype)
      bufferOf.set(base, number)
    }
    return number
  }
  const locate = (node: Tensor) => {
    const layout = layouts.get(node)!
    return { ...layout, buffer: buffer(layout.base) }
  }
  const contiguousView = (number: number, shape: Shape): View => ({
    buffer: number,
    offset: 0,
    shape,
    strides: stridesOf(shape),
  })
  /** Copies a node (or what generates it) into a view of its shape. */
  const copy = (node: Tensor, view: View): void => {
    const axes = node.shape.length === 0 ? [1] : node.shape
    const body = new Body(axes, [...axes.keys()], () => false, locate)
    const target = node.shape.length === 0 ? { ...view, shape: [1], strides: [1] } : view
    const outputs = [{ step: body.step(node), view: target }]
    calls.push({ kernel: "rows", space: axes, body: body.instructions, inputs: body.inputs, outputs })
  }
  /** A view of a node in a given shape, after a copy where its elements do not lie so. */
  const viewAs = (node: Tensor, shape: Shape, dense = false): View => {
    const { buffer: number, ...layout } = locate(node)
    if (!isGenerator(layout.base)) {
      const view = sameShape(shape, node.shape) ? layout : reshapeLayout(layout, node, shape)
      if (view && !(dense && !sameShape(view.strides, stridesOf(shape)))) {
        return { buffer: number, offset: view.offset, shape, strides: view.strides }
      }
    }
    const own = temporary(node.shape, node.dtype)
    copy(node, contiguousView(own, node.shape))
    return contiguousView(own, shape)
  }

  const emit = (unit: Unit): void => {
    const { product } = unit
    const results = unit.nodes.filter((node) => stored.has(node))
    if (results.length === 0) return product && stored.has(product) ? emitOther(product) : undefined
    const inlined = again.get(unit) ?? new Set()
    if (unit.kind === "rows") {
      const space = unit.space.length === 0 ? [1] : unit.space
      const body = new Body(space, [...space.keys()], (x) => unitOf.get(x) === unit || inlined.has(x), locate, product)
      const outputs = [...results, ...(product && stored.has(product) ? [product] : [])].map((node) => ({
        step: body.step(node),
        view: contiguousView(buffer(node), node.shape.length === 0 ? [1] : node.shape),
      }))
      const { instructions, inputs } = body
      if (product === undefined) calls.push({ kernel: "rows", space, body: instructions, inputs, outputs })
      else {
        const [{ step: result, view: output }, ...also] = outputs
        const epilogue = { body: instructions, inputs, result, also }
        calls.push({ kernel: "matmul", ...productOperands(product), output, epilogue })
      }
      return
    }
    const [node] = unit.nodes
    if (unit.kind === "columns") {
      const [x] = node.inputs
      const last = x.shape.length - 1
      const axes = node.attributes.axes as number[]
      const outer = [...x.shape.keys()].filter((axis) => axis !== last && !axes.includes(axis))
      const order = [...outer, ...axes, last]
      const body = new Body(x.shape, order, (n) => inlined.has(n), locate)
      const shape = [...outer, last].map((axis) => x.shape[axis])
      calls.push({
        kernel: "columns",
        space: order.map((axis) => x.shape[axis]),
        outerAxes: outer.length,
        kind: node.attributes.kind as "sum" | "max",
        result: body.step(x),
        body: body.instructions,
        inputs: body.inputs,
        output: contiguousView(buffer(node), shape),
      })
      return
    }
    if (node.operation.kernel === undefined) emitOther(node)
    else calls.push(attentionCall(unit.nodes.filter((x) => stored.has(x)), { viewAs, buffer, temporary }))
  }

  const productOperands = ({ inputs, attributes, shape }: Tensor): { readonly a: View; readonly b: View } => {
    const batch = shape.slice(0, -2)
    const side = (x: Tensor, transposed: unknown): View => {
      const { buffer: number, ...layout } = isGenerator(baseOf(x))
        ? { ...layouts.get(x)!, ...viewAs(x, x.shape) }
        : locate(x)
      const turned = transposed ? turn(layout) : layout
      const whole = [...batch, ...turned.shape.slice(-2)]
      return { buffer: number, offset: layout.offset, shape: whole, strides: broadcastStrides(turned, whole) }
    }
    return { a: side(inputs[0], attributes.transposeA), b: side(inputs[1], attributes.transposeB) }
  }

  const emitOther = (node: Tensor): void => {
    const { operation, inputs, attributes, shape } = node
    const output = contiguousView(buffer(node), shape)
    if (operation === matmulOperation) {
      calls.push({ kernel: "matmul", ...productOperands(node), output })
    } else if (operation === gatherOperation) {
      const count = sizeOf(inputs[1].shape)
      const table = viewAs(inputs[0], inputs[0].shape, true)
      const indices = viewAs(inputs[1], [count], true)
      calls.push({ kernel: "gather", table, indices, output: { ...output, ...dense([count, shape.at(-1)!]) } })
    } else if (operation === scatterAddOperation) {
      const batch = attributes.perExample ? shape[0] : 1
      const count = sizeOf(inputs[0].shape) / batch
      const indices = viewAs(inputs[0], [batch, count], true)
      const updates = viewAs(inputs[1], [batch, count, shape.at(-1)!])
      calls.push({
        kernel: "scatter_add",
        indices,
        updates,
        output: { ...output, ...dense([batch, ...shape.slice(-2)]) },
      })
    } else if (operation === updateSliceOperation) {
      const [state, source, start] = inputs
      copy(state, output)
      const axis = attributes.axis as number
      calls.push({
        kernel: "update_slice",
        axis,
        destination: output,
        source: viewAs(source, source.shape),
        start: viewAs(start, [sizeOf(start.shape)]),
      })
    } else if (operation === concatOperation) {
      const axis = attributes.axis as number
      let offset = 0
      for (const part of inputs) {
        if (sizeOf(part.shape) > 0) copy(part, { ...output, offset, shape: part.shape })
        offset += part.shape[axis] * output.strides[axis]
      }
    } else if (operation === padOperation) {
      const zero = { op: "constant", value: 0, dtype: node.dtype } as const
      calls.push({ kernel: "rows", space: shape, body: [zero], inputs: [], outputs: [{ step: 0, view: output }] })
      const before = attributes.before as number[]
      const offset = before.reduce((at, n, axis) => at + n * output.strides[axis], 0)
      copy(inputs[0], { ...output, offset, shape: inputs[0].shape })
    } else {
      throw new ShapeError({ message: `No kernel computes the operation ${operation.name}` })
    }
  }

  units.forEach(emit)

  /** A buffer that holds a root densely at the end; roots without memory of their own are copied. */
  const settle = (root: Tensor): number => {
    const layout = layouts.get(root)!
    const own = unitOf.has(layout.base) && layout.offset === 0 && sizeOf(root.shape) === sizeOf(layout.base.shape) &&
      sameShape(layout.strides, stridesOf(root.shape))
    if (own) return buffer(layout.base)
    const number = temporary(root.shape, root.dtype)
    copy(root, contiguousView(number, root.shape))
    return number
  }
  const outputs = names.map((name, i) => {
    const root = roots[i]
    return { name, view: contiguousView(settle(root), root.shape), dtype: root.dtype }
  })
  const targets = graph.updates.map(([slot], i) => ({
    slot: slotBuffer(slot.id, sizeOf(slot.shape), slot.dtype),
    value: settle(roots[names.length + i]),
  }))
  return assignSlots(widen({ name: graph.name, buffers, calls, outputs }), targets)
}

const dense = (shape: Shape) => ({ shape, strides: stridesOf(shape) })

function turn(layout: Layout): Layout {
  const swap = (values: ReadonlyArray<number>) => [...values.slice(0, -2), values.at(-1)!, values.at(-2)!]
  return { ...layout, shape: swap(layout.shape), strides: swap(layout.strides) }
}

function reshapeLayout(layout: Layout, node: Tensor, shape: Shape): Layout | undefined {
  return viewOf({ ...node, operation: reshapeOperation, shape }, layout)
}

/** Members of a unit that its stored ones rest on. */
function neededMembers(unit: Unit, stored: ReadonlySet<Tensor>): Set<Tensor> {
  const members = new Set(unit.nodes)
  const needed = new Set(unit.nodes.filter((node) => stored.has(node)))
  for (const node of needed) for (const x of node.inputs) if (members.has(x)) needed.add(x)
  return needed
}
