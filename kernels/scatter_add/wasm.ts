/**
 * WebAssembly of `scatter_add`. Threads share batches and ranges of columns, so each element's sum keeps its order.
 * @module
 */
import type { ScatterAddCall } from "./kernel.ts"
import { call as callFunction, f32x4, forRange, get, i32, i32x4, set, when } from "../wasm/assembler.ts"
import type { View } from "../contract.ts"
import { keyOf } from "../collapse.ts"
import { groupedStage, itemsPerUnit, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { firstElement, forColumns, loadLanes, storeLanes } from "../wasm/lanes.ts"

/** Most ranges of columns in a row. */
const RANGES = 8

/** Writes a `scatter_add` call. */
export const emitScatterAdd: KernelEmitter<ScatterAddCall> = (
  { indices, updates, output },
  context,
): readonly Stage[] => {
  const [batch, rows, width] = output.shape
  const count = indices.shape[1]
  if (batch * rows * width === 0) return []
  /** Columns of one range, a multiple of 16 (a cache line). */
  const range = 16 * Math.ceil(width / RANGES / 16)
  const ranges = Math.ceil(width / range)
  const [fromBatch, fromRow, fromColumn] = updates.strides
  const func = context.module.once(
    `scatter_add ${keyOf([rows, width, count, indices.strides, updates.strides])}`,
    () =>
      context.module.func("scatter_add", ["i32", "i32", "i32", "i32", "i32"], [], (f, begin, end, index, from, to) => {
        const [unit, b, first, i, row, source, target, place] = Array.from({ length: 8 }, () => f.local("i32"))
        const at = (base: number, stride: number) =>
          i32.add(get(base), stride === 1 ? get(place) : i32.mul(get(place), i32.const(stride)))
        const add = (columns: number) =>
          forColumns(place, columns, (lanes) =>
            storeLanes(
              at(target, 1),
              1,
              lanes,
              0,
              f32x4.add(
                loadLanes(at(target, 1), 1, lanes, 0),
                loadLanes(at(source, fromColumn), fromColumn, lanes, 0),
              ),
            ))
        const clear = (columns: number) =>
          forColumns(place, columns, (lanes) => storeLanes(at(target, 1), 1, lanes, 0, i32x4.const(0)))
        const lastRange = width - range * (ranges - 1)
        const inRange = (write: (columns: number) => ReturnType<typeof add>) =>
          lastRange === range
            ? write(range)
            : when(i32.eq(get(first), i32.const(range * (ranges - 1))), write(lastRange), write(range))
        const targetRow = (r: number) =>
          i32.add(
            get(to),
            i32.mul(
              i32.add(i32.mul(i32.add(i32.mul(get(b), i32.const(rows)), get(r)), i32.const(width)), get(first)),
              i32.const(4),
            ),
          )
        return forRange(unit, get(begin), get(end), 1, [
          set(b, i32.divU(get(unit), i32.const(ranges))),
          set(first, i32.mul(i32.remU(get(unit), i32.const(ranges)), i32.const(range))),
          forRange(row, i32.const(0), i32.const(rows), 1, [set(target, targetRow(row)), inRange(clear)]),
          forRange(i, i32.const(0), i32.const(count), 1, [
            set(
              row,
              i32.load(i32.add(
                get(index),
                i32.add(
                  i32.mul(get(b), i32.const(4 * indices.strides[0])),
                  i32.mul(get(i), i32.const(4 * indices.strides[1])),
                ),
              )),
            ),
            when(i32.ltU(get(row), i32.const(rows)), [
              set(target, targetRow(row)),
              set(
                source,
                i32.add(
                  i32.add(get(from), i32.mul(get(b), i32.const(4 * fromBatch))),
                  i32.add(i32.mul(get(i), i32.const(4 * fromRow)), i32.mul(get(first), i32.const(4 * fromColumn))),
                ),
              ),
              inRange(add),
            ]),
          ]),
        ])
      }),
  )
  const at = (view: View) => firstElement(context, view)
  const items = batch * ranges
  return [
    groupedStage(
      items,
      itemsPerUnit(items, (rows + 2 * count) * range),
      (begin, end) => callFunction(func, begin, end, at(indices), at(updates), at(output)),
    ),
  ]
}
