/**
 * WebAssembly of `gather`: copies of rows. An index outside the table gives a row of zeros.
 * @module
 */
import type { GatherCall } from "./kernel.ts"
import { call as callFunction, forRange, get, i32, i32x4, set, when } from "../wasm/assembler.ts"
import type { View } from "../contract.ts"
import { keyOf } from "../collapse.ts"
import { type Encoding, inBlocks } from "../encoding.ts"
import { F32 } from "../encodings.ts"
import { groupedStage, itemsPerUnit, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { countBlocksFrom, firstElement, forColumns, loadStored, placeIn, stepOf, storeLanes } from "../wasm/lanes.ts"

/** Writes a `gather` call. */
export const emitGather: KernelEmitter<GatherCall> = ({ table, indices, output }, context): readonly Stage[] => {
  const [count, width] = output.shape
  if (count === 0 || width === 0) return []
  const [rows] = table.shape
  const [rowStride, columnStride] = table.strides
  const [toRow, toColumn] = output.strides
  const encoding = context.encoding(table.buffer), bytes = stepOf(encoding)
  const func = context.module.once(
    `gather ${keyOf([rows, width, table.strides, encoding.name, indices.strides, output.strides])}`,
    () =>
      context.module.func("gather", ["i32", "i32", "i32", "i32", "i32"], [], (f, begin, end, from, index, to) => {
        const i = f.local("i32"), row = f.local("i32"), source = f.local("i32"), target = f.local("i32")
        const place = f.local("i32"), vector = f.local("v128")
        const at = (base: number, stride: number, as: Encoding = F32) => {
          // `place` counts the bytes of f32.
          const from = placeIn(as, get(place))
          return i32.add(get(base), stride === 1 ? from : i32.mul(from, i32.const(stride)))
        }
        return forRange(i, get(begin), get(end), 1, [
          set(row, i32.load(i32.add(get(index), i32.mul(get(i), i32.const(4 * indices.strides[0]))))),
          set(target, i32.add(get(to), i32.mul(get(i), i32.const(4 * toRow)))),
          set(source, i32.add(get(from), i32.mul(get(row), i32.const(bytes * rowStride)))),
          when(
            i32.ltU(get(row), i32.const(rows)),
            forColumns(place, width, (lanes) => [
              set(
                vector,
                loadStored(context.module, encoding, at(source, columnStride, encoding), columnStride, lanes, 0),
              ),
              storeLanes(at(target, toColumn), toColumn, lanes, 0, get(vector)),
            ]),
            forColumns(place, width, (lanes) => storeLanes(at(target, toColumn), toColumn, lanes, 0, i32x4.const(0))),
          ),
        ])
      }),
  )
  const first = (view: View) => firstElement(context, view)
  return [
    groupedStage(
      count,
      itemsPerUnit(count, width),
      (begin, end) => [
        inBlocks(encoding) ? countBlocksFrom(context.module, context.address(table.buffer)) : [],
        callFunction(func, begin, end, first(table), first(indices), first(output)),
      ],
    ),
  ]
}
