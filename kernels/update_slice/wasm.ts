/**
 * WebAssembly of `update_slice`: a copy of rows to a place that is known only when it runs.
 * @module
 */
import { partsOf, type UpdateSliceCall } from "./kernel.ts"
import { copyCall } from "../rows/call.ts"
import { emitRowsAt } from "../rows/wasm.ts"
import { type Code, i32, select } from "../wasm/assembler.ts"
import type { KernelEmitter, Stage } from "../wasm/kernel.ts"

/** Writes an `update_slice` call. */
export const emitUpdateSlice: KernelEmitter<UpdateSliceCall> = (
  { axis, destination, source, start },
  context,
): readonly Stage[] => {
  const { offset, shape, strides } = destination
  /** Bytes to the index that an element of `start` has along an axis, at most the last that leaves room. */
  const bytesTo = (at: number, along: number, room: number): Code => {
    const wanted = i32.load(context.address(start.buffer), 4 * at)
    const below = select(wanted, i32.const(room), i32.ltS(wanted, i32.const(room)))
    return i32.mul(select(below, i32.const(0), i32.gtS(below, i32.const(0))), i32.const(4 * strides[along]))
  }
  const stages = partsOf(source, start).flatMap(({ view, row, named, at }) => {
    const toRow = named === undefined ? i32.const(4 * row * strides[0]) : bytesTo(named, 0, shape[0] - 1)
    const first = i32.add(context.address(destination.buffer), i32.const(4 * offset))
    return emitRowsAt(
      copyCall(view, { ...destination, shape: view.shape }, "i32"),
      [
        i32.add(context.address(source.buffer), i32.const(4 * view.offset)),
        i32.add(i32.add(first, toRow), bytesTo(at, axis, shape[axis] - source.shape[axis])),
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
