import type { Call, View } from "../../../kernels/contract.ts"
import type { Encoding } from "../../../kernels/encoding.ts"
import { builtinEncodings, encodingOf } from "../../../kernels/encodings.ts"
import type { CallMemory, Kernel } from "../../../kernels/kernel.ts"
import { builtin } from "../../../kernels/builtin.ts"
import type { RowsCall } from "../../../kernels/rows/call.ts"
import { contiguous } from "../../../kernels/view.ts"
import type { StoredAs } from "../../tensor/dtype.ts"
import { constantOperation, inputOperation, slotOperation } from "../../tensor/operations/leaves.ts"
import { sameShape, type Shape, sizeOf, stridesOf } from "../../tensor/shape.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { reshapeOperation } from "../../tensor/operations/views.ts"
import { Body } from "./body.ts"
import { type Fused, isGenerator } from "./fuse.ts"
import { type Layout, viewOf } from "../layout.ts"
import type { BufferSpec } from "../program.ts"

/** Buffers and calls of a program while they are written. */
export class ProgramWriter implements CallMemory {
  readonly buffers: BufferSpec[] = []
  readonly calls: Call[] = []
  /** Kernels of the calls that are not built in. */
  readonly kernels = new Map<string, Kernel>()
  /** Encodings of the buffers that are not built in. */
  readonly encodings = new Map<string, Encoding>()
  readonly #bufferOf = new Map<Tensor, number>()
  readonly #slots = new Map<number, number>()

  constructor(readonly layouts: Fused["layouts"]) {}

  /** Notes a kernel that calls will name. Throws {@link ShapeError} where another one has its name. */
  use(kernel: Kernel): void {
    note("kernels", kernel, builtin, this.kernels)
  }

  #add(size: number, dtype: BufferSpec["dtype"], source: BufferSpec["source"], stored?: StoredAs): number {
    const encoding = encodingOf(stored)
    const { name: storage } = encoding
    note("encodings", encoding, builtinEncodings, this.encodings)
    return this.buffers.push({ size, dtype, source, ...(storage === "f32" ? {} : { storage }) }) - 1
  }

  /** The buffer of a slot. */
  slot(slot: number, size: number, dtype: BufferSpec["dtype"], stored?: StoredAs): number {
    let number = this.#slots.get(slot)
    if (number === undefined) {
      number = this.#add(size, dtype, { kind: "slot", slot }, stored)
      this.#slots.set(slot, number)
    }
    return number
  }

  temporary = (shape: Shape, dtype: BufferSpec["dtype"]): number =>
    this.#add(sizeOf(shape), dtype, { kind: "temporary" })

  buffer = (base: Tensor): number => {
    let number = this.#bufferOf.get(base)
    if (number === undefined) {
      const { operation, attributes, shape, dtype } = base
      const size = sizeOf(shape)
      number = operation === slotOperation
        ? this.slot(attributes.slot as number, size, dtype, attributes.storage as StoredAs)
        : operation === inputOperation
        ? this.#add(size, dtype, { kind: "input", name: attributes.name as string })
        : operation === constantOperation
        ? this.#add(size, dtype, { kind: "constant", data: attributes.data as Float32Array })
        : this.temporary(shape, dtype)
      this.#bufferOf.set(base, number)
    }
    return number
  }

  /** Layout of a node in the program's buffers. */
  locate = (node: Tensor): Layout & { readonly buffer: number } => {
    const layout = this.layouts.get(node)!
    return { ...layout, buffer: this.buffer(layout.base) }
  }

  copy = (node: Tensor, view: View): void => {
    const space = node.shape.length === 0 ? [1] : node.shape
    const body = new Body(space, [...space.keys()], () => false, this.locate)
    const target = node.shape.length === 0 ? { ...view, shape: [1], strides: [1] } : view
    const outputs = [{ step: body.step(node), view: target }]
    this.calls.push(rowsCall(space, body, outputs))
  }

  viewAs = (node: Tensor, shape: Shape, dense = false): View => {
    const { buffer, ...layout } = this.locate(node)
    if (!isGenerator(layout.base)) {
      const view = sameShape(shape, node.shape)
        ? layout
        : viewOf({ ...node, operation: reshapeOperation, shape }, layout)
      if (view && !(dense && !sameShape(view.strides, stridesOf(shape)))) {
        return { buffer, offset: view.offset, shape, strides: view.strides }
      }
    }
    const own = this.temporary(node.shape, node.dtype)
    this.copy(node, contiguous(own, node.shape))
    return contiguous(own, shape)
  }
}

/** A call of `rows` for a body. */
export const rowsCall = (
  space: Shape,
  { instructions, inputs }: Body,
  outputs: RowsCall["outputs"],
): RowsCall => ({ kernel: "rows", space, body: instructions, inputs, outputs })

/** Adds a kernel or encoding that is not built in to those of the program. */
function note<A extends { readonly name: string }>(
  what: string,
  one: A,
  builtin: ReadonlyMap<string, A>,
  own: Map<string, A>,
): void {
  const known = builtin.get(one.name) ?? own.get(one.name)
  if (known === one) return
  if (known !== undefined) {
    throw new ShapeError({ message: `Two ${what} are named "${one.name}": rename the one that is not built in` })
  }
  own.set(one.name, one)
}
