/**
 * Dot products of rows with blocks of an encoding, a group at a time: codes become f32 in registers, and the scale is
 * multiplied with their sum. Rows are arranged in the order in which the codes come out.
 * @module
 */
import type { BlockProducts, BlockTile } from "../../../encoding.ts"
import {
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  increase,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  v128,
} from "../../../wasm/assembler.ts"
import { storeSums } from "../dot_kernel.ts"
import type { Groups } from "./group.ts"
import { packDeep, packWide } from "./pack.ts"

/** Bytes of a group of an arranged row: its numbers, then, where there are offsets, their sums by lane. */
const groupBytes = ({ fours, offset }: Groups) => 16 * (fours.length + (offset ? 1 : 0))

/**
 * Products with an encoding whose blocks fall into groups.
 *
 * @param name The encoding's.
 */
export const productsInGroups = (name: string, groups: Groups): BlockProducts => ({
  arrangedBytes: (k) => k / (4 * groups.fours.length) * groupBytes(groups),
  arrange: (module) => arrange(module, name, groups),
  dot: (module, target, tile) => dot(module, target, tile, name, groups),
  packDeep: (module, target, columns) => packDeep(module, target, columns, name, groups),
  packWide: (module, target) => packWide(module, target, name, groups),
})

const arrange = (module: ModuleBuilder, name: string, groups: Groups): number =>
  module.once(`arrange ${name}`, () =>
    module.func("matmul_arrange", ["i32", "i32", "i32"], [], (f, from, k, to) => {
      const [l, four, sum] = [f.local("i32"), f.local("v128"), f.local("v128")]
      const { fours, offset } = groups
      const size = 4 * fours.length
      const arranged = fours.map(({ first, step, factor = 1 }, v): Code => {
        const place = (lane: number) => 4 * (first + lane * step)
        const gathered = [1, 2, 3].reduce<Code>(
          (vector, lane) => v128.load32Lane(lane, get(from), vector, place(lane)),
          v128.load32Zero(get(from), place(0)),
        )
        return [
          set(four, step === 1 ? v128.load(get(from), place(0)) : gathered),
          offset ? set(sum, v === 0 ? get(four) : f32x4.add(get(sum), get(four))) : [],
          v128.store(get(to), factor === 1 ? get(four) : f32x4.mul(get(four), f32x4.const(factor)), 16 * v),
        ]
      })
      return forRange(
        l,
        i32.const(0),
        get(k),
        size,
        arranged,
        offset ? v128.store(get(to), get(sum), 4 * size) : [],
        increase(from, 4 * size),
        increase(to, groupBytes(groups)),
      )
    }))

const dot = (module: ModuleBuilder, target: Target, { rows, columns }: BlockTile, name: string, groups: Groups) => {
  const title = `matmul_groups_${rows}x${columns}_${name}_${target.relaxed}`
  const params = new Array(8).fill("i32" as const)
  return module.once(title, () =>
    module.func(title, params, [], (f, a, aStride, b, bApart, blocks, output, outputStride, outputApart) => {
      const vectors = (count: number) => Array.from({ length: count }, () => f.local("v128"))
      const [sums, parts] = [0, 1].map(() => Array.from({ length: rows }, () => vectors(columns)))
      const [codes, scales] = [vectors(columns), vectors(columns)]
      const [left, block] = [f.local("v128"), f.local("i32")]
      const aRows = [a, ...sums.slice(1).map(() => f.local("i32"))]
      const bColumns = [b, ...codes.slice(1).map(() => f.local("i32"))]
      const columnGroups = bColumns.map((column) => groups.wasm(module, f, column))
      const bytes = groupBytes(groups), fours = groups.fours.length
      const eachRow = (at: number, body: (row: number) => Code): Code =>
        aRows.map((row, r) => [set(left, v128.load(get(row), at)), body(r)])
      const group = (g: number): Code => {
        const own = columnGroups.map((all) => all[g])
        const four = (v: number): Code => [
          own.map(({ codes: all }, c) => set(codes[c], all[v])),
          eachRow(bytes * g + 16 * v, (r) =>
            codes.map((code, c) =>
              set(
                parts[r][c],
                v === 0 ? f32x4.mul(get(left), get(code)) : madd(target, get(left), get(code), get(parts[r][c])),
              )
            )),
        ]
        const addTo = (r: number, c: number, factor: Code): Code =>
          set(sums[r][c], madd(target, get(scales[c]), factor, get(sums[r][c])))
        return [
          own.map(({ start }) => start),
          Array.from({ length: fours }, (_, v) => four(v)),
          own.map(({ scale }, c) => set(scales[c], scale)),
          parts.map((row, r) => row.map((part, c) => addTo(r, c, get(part)))),
          groups.offset
            ? [
              own.map(({ offset }, c) => set(scales[c], offset!)),
              eachRow(bytes * g + 16 * fours, (r) => scales.map((_, c) => addTo(r, c, get(left)))),
            ]
            : [],
        ]
      }
      return [
        aRows.slice(1).map((row, r) => set(row, i32.add(get(aRows[r]), get(aStride)))),
        bColumns.slice(1).map((column, c) => set(column, i32.add(get(bColumns[c]), get(bApart)))),
        forRange(
          block,
          i32.const(0),
          get(blocks),
          1,
          columnGroups[0].map((_, g) => group(g)),
          aRows.map((row) => increase(row, bytes * columnGroups[0].length)),
          bColumns.map((column) => increase(column, groups.blockBytes)),
        ),
        storeSums(f, sums, { output, outputStride, outputApart }),
      ]
    }))
}
