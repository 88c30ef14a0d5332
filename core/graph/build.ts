/**
 * From tensors to a {@link Program}: simplify, fuse, decide what is stored and what is computed again, write the calls.
 * @module
 */
import { encodingOf } from "../../kernels/encodings.ts"
import { contiguous } from "../../kernels/view.ts"
import type { SlotReference } from "../tensor/operations/leaves.ts"
import { sameShape, show, sizeOf, stridesOf } from "../tensor/shape.ts"
import { ShapeError } from "../tensor/shape_error.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { assignSlots } from "./fuse/assign_slots.ts"
import { fuse } from "./fuse/fuse.ts"
import type { Program } from "./program.ts"
import { ProgramWriter } from "./fuse/program_writer.ts"
import { recomputeLate } from "./rewrite/recompute_late.ts"
import { simplify } from "./rewrite/simplify.ts"
import { decideStored } from "./rewrite/stored.ts"
import { widen } from "./rewrite/widen.ts"
import { writeUnit } from "./fuse/write_unit.ts"

/** Outputs and updates of a program. */
export interface Graph {
  /** Shown in errors, listings and profiles. */
  readonly name: string
  /** Results of each run. */
  readonly outputs: Readonly<Record<string, Tensor>>
  /** New values of slots. All of them, and all outputs, are made from the slots' values before the run. */
  readonly updates: ReadonlyArray<readonly [SlotReference, Tensor]>
}

/** Writes a program. Throws {@link ShapeError} where an update does not fit its slot or a slot has two. */
export function build(graph: Graph): Program {
  checkUpdates(graph)
  const names = Object.keys(graph.outputs)
  const roots = recomputeLate(
    simplify([...Object.values(graph.outputs), ...graph.updates.map(([, tensor]) => tensor)]),
  )
  const fused = fuse(roots)
  const { units, layouts, unitOf } = fused
  const stored = decideStored(roots, fused)
  const writer = new ProgramWriter(layouts)
  for (const unit of units) writeUnit(unit, stored, unitOf, writer)

  /** A buffer that holds a root densely at the end; roots without memory of their own are copied. */
  const settle = (root: Tensor): number => {
    const { base, offset, strides } = layouts.get(root)!
    const whole = unitOf.has(base) && offset === 0 && sizeOf(root.shape) === sizeOf(base.shape) &&
      sameShape(strides, stridesOf(root.shape))
    if (whole) return writer.buffer(base)
    const copy = writer.temporary(root.shape, root.dtype)
    writer.copy(root, contiguous(copy, root.shape))
    return copy
  }
  const outputs = names.map((name, i) => {
    const root = roots[i]
    return { name, view: contiguous(settle(root), root.shape), dtype: root.dtype }
  })
  const targets = graph.updates.map(([slot], i) => ({
    slot: writer.slot(slot.id, sizeOf(slot.shape), slot.dtype),
    value: settle(roots[names.length + i]),
  }))
  const { buffers, calls, kernels, encodings } = writer
  const program = {
    name: graph.name,
    buffers,
    calls,
    outputs,
    ...(kernels.size === 0 ? {} : { kernels }),
    ...(encodings.size === 0 ? {} : { encodings }),
  }
  return assignSlots(widen(program), targets)
}

function checkUpdates({ name, updates }: Graph): void {
  const updated = new Set<number>()
  for (const [slot, tensor] of updates) {
    if (updated.has(slot.id)) {
      throw new ShapeError({ message: `Slot ${slot.name} has two new values in "${name}": join them into one` })
    }
    updated.add(slot.id)
    if (!sameShape(slot.shape, tensor.shape) || slot.dtype !== tensor.dtype) {
      const value = `${tensor.dtype}${show(tensor.shape)}`
      throw new ShapeError({ message: `Slot ${slot.name} is ${slot.dtype}${show(slot.shape)}, its new value ${value}` })
    }
    if (slot.readOnly) {
      const message = `Slot ${slot.name} is read-only, and "${name}" gives it a new value: allocate it without readOnly`
      throw new ShapeError({ message })
    }
    const { name: encoding } = encodingOf(slot.storage)
    if (encoding !== "f32") {
      const message = `Slot ${slot.name} is kept in ${encoding}, which would round its new value in ` +
        `"${name}": programs only read it; keep it in f32`
      throw new ShapeError({ message })
    }
  }
}
