import type { ColumnsCall } from "../../../kernels/columns/call.ts"
import type { RowsCall } from "../../../kernels/rows/call.ts"
import { contiguous } from "../../../kernels/view.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { Operation, Tensor } from "../../tensor/tensor.ts"
import { concatOperation, padOperation } from "../../tensor/operations/views.ts"
import { Body } from "./body.ts"
import { kernelFor } from "./kernel_for.ts"
import { type ProgramWriter, rowsCall } from "./program_writer.ts"
import type { Stored } from "../rewrite/stored.ts"
import type { Fused, Unit } from "./fuse.ts"

/** Writes the call, or the few calls, of a unit, if anything of it is stored. */
export function writeUnit(
  unit: Unit,
  { stored, again }: Stored,
  unitOf: Fused["unitOf"],
  writer: ProgramWriter,
): void {
  const { product } = unit
  const results = unit.nodes.filter((node) => stored.has(node))
  const kept = product !== undefined && stored.has(product)
  if (results.length === 0) {
    if (kept) writeNodes([product], writer)
    return
  }
  if (unit.kind === "other") return writeNodes(results, writer)
  const inlined = again.get(unit) ?? new Set()
  if (unit.kind === "columns") return void writer.calls.push(columnsCall(unit.nodes[0], inlined, writer))
  const space = unit.space.length === 0 ? [1] : unit.space
  const computed = (x: Tensor) => unitOf.get(x) === unit || inlined.has(x)
  const body = new Body(space, [...space.keys()], computed, writer.locate, product)
  const outputs = [...results, ...(kept ? [product] : [])].map((node) => ({
    step: body.step(node),
    view: contiguous(writer.buffer(node), node.shape.length === 0 ? [1] : node.shape),
  }))
  if (product === undefined) return void writer.calls.push(rowsCall(space, body, outputs))
  const [{ step: result, view: output }, ...also] = outputs
  const epilogue = { body: body.instructions, inputs: body.inputs, result, also }
  const kernel = kernelFor(product.operation)!
  writer.use(kernel)
  writer.calls.push(kernel.withEpilogue!(kernel.lower!([product], writer), output, epilogue))
}

/** The sum or maximum over axes that leave the last one out. */
function columnsCall(node: Tensor, inlined: ReadonlySet<Tensor>, writer: ProgramWriter): ColumnsCall {
  const [x] = node.inputs
  const last = x.shape.length - 1
  const axes = node.attributes.axes as number[]
  const outer = [...x.shape.keys()].filter((axis) => axis !== last && !axes.includes(axis))
  const order = [...outer, ...axes, last]
  const body = new Body(x.shape, order, (n) => inlined.has(n), writer.locate)
  return {
    kernel: "columns",
    space: order.map((axis) => x.shape[axis]),
    outerAxes: outer.length,
    kind: node.attributes.kind as "sum" | "max",
    result: body.step(x),
    body: body.instructions,
    inputs: body.inputs,
    output: contiguous(writer.buffer(node), [...outer, last].map((axis) => x.shape[axis])),
  }
}

/** Writes nodes that are computed as they are: by a kernel in one call, or by copies. */
function writeNodes(nodes: ReadonlyArray<Tensor>, writer: ProgramWriter): void {
  const [{ operation }] = nodes
  const kernel = kernelFor(operation)
  if (kernel?.lower !== undefined) {
    writer.use(kernel)
    return void writer.calls.push(kernel.lower(nodes, writer))
  }
  const move = moves.get(operation)
  if (move === undefined) throw new ShapeError({ message: `No kernel computes the operation ${operation.name}` })
  move(nodes[0], writer)
}

/** Operations that only place elements, as copies. */
const moves = new Map<Operation, (node: Tensor, writer: ProgramWriter) => void>([
  [concatOperation, (node, writer) => {
    const { inputs, attributes, shape } = node
    const output = contiguous(writer.buffer(node), shape)
    const axis = attributes.axis as number
    let offset = 0
    for (const part of inputs) {
      if (sizeOf(part.shape) > 0) writer.copy(part, { ...output, offset, shape: part.shape })
      offset += part.shape[axis] * output.strides[axis]
    }
  }],
  [padOperation, (node, writer) => {
    const { inputs: [x], attributes, shape, dtype } = node
    const output = contiguous(writer.buffer(node), shape)
    const zeros: RowsCall = {
      kernel: "rows",
      space: shape,
      body: [{ op: "constant", value: 0, dtype }],
      inputs: [],
      outputs: [{ step: 0, view: output }],
    }
    writer.calls.push(zeros)
    const before = attributes.before as number[]
    const offset = before.reduce((at, n, axis) => at + n * output.strides[axis], 0)
    writer.copy(x, { ...output, offset, shape: x.shape })
  }],
])
