/**
 * WebAssembly of `update_slice`: a copy of rows to a place that is known only when it runs.
 * @module
 */
import { rowsOf, type UpdateSliceCall } from "./kernel.ts"
import { copyCall } from "../rows/call.ts"
import { emitRowsAt } from "../rows/wasm.ts"
import { i32, select } from "../wasm/assembler.ts"
import type { KernelEmitter, Stage } from "../wasm/kernel.ts"

/** Writes an `update_slice` call. A start that would reach beyond the axis is moved back. */
export const emitUpdateSlice: KernelEmitter<UpdateSliceCall> = (
  { axis, destination, source, start },
  context,
): readonly Stage[] => {
  const room = i32.const(destination.shape[axis] - source.shape[axis])
  const stages = rowsOf(source, start).flatMap(({ row, part }) => {
    const wanted = i32.load(context.address(start.buffer), 4 * (start.offset + row * (start.strides[0] ?? 0)))
    const below = select(wanted, room, i32.ltS(wanted, room))
    const begin = select(below, i32.const(0), i32.gtS(below, i32.const(0)))
    const first = i32.const(4 * (destination.offset + row * destination.strides[0]))
    return emitRowsAt(
      copyCall(part, { ...destination, shape: part.shape }, "i32"),
      [
        i32.add(context.address(source.buffer), i32.const(4 * part.offset)),
        i32.add(
          i32.add(context.address(destination.buffer), first),
          i32.mul(begin, i32.const(4 * destination.strides[axis])),
        ),
      ],
      context,
    )
  })
  // All rows are alike, and no barrier is needed between them.
  return stages.slice(0, 1).map((stage) => ({
    ...stage,
    run: (begin, end) => stages.map(({ run }) => run(begin, end)),
  }))
}
