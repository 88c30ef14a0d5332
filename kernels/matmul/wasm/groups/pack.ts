/**
 * Packing of whole blocks into panels of f32 that a micro-kernel reads in order.
 * @module
 */
import {
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  v128,
} from "../../../wasm/assembler.ts"
import { COLUMNS } from "../micro_kernel.ts"
import type { Four, GroupCode, Groups } from "./group.ts"

/** Elements of one four of a group. */
const elements = (
  module: ModuleBuilder,
  target: Target,
  { codes, scale, offset }: GroupCode,
  { factor = 1 }: Four,
  v: number,
): Code => {
  const code = factor === 1 ? codes[v] : f32x4.mul(codes[v], module.pooled(f32x4.const(factor)))
  return offset === undefined ? f32x4.mul(code, scale) : madd(target, code, scale, offset)
}

/** The same code with scale and offset in locals. */
const held = (f: FunctionScope, group: GroupCode): GroupCode => {
  const [scale, offset] = [f.local("v128"), f.local("v128")]
  return {
    start: [group.start, set(scale, group.scale), group.offset === undefined ? [] : set(offset, group.offset)],
    codes: group.codes,
    scale: get(scale),
    ...(group.offset === undefined ? {} : { offset: get(offset) }),
  }
}

/** Transposes four vectors: stores by lane of them. */
const transposed = (
  f: FunctionScope,
  rows: ReadonlyArray<number>,
  store: (lane: number, four: Code) => Code,
): Code => {
  const halves = rows.map(() => f.local("v128"))
  return [
    [[0, 2, 0], [1, 3, 0], [0, 2, 2], [1, 3, 2]].map(([x, y, lane], i) =>
      set(halves[i], v128.shuffle32(get(rows[x]), get(rows[y]), [lane, lane + 4, lane + 1, lane + 5]))
    ),
    [0, 1, 2, 3].map((lane) => {
      const [x, y, half] = [halves[lane < 2 ? 0 : 2], halves[lane < 2 ? 1 : 3], 2 * (lane % 2)]
      return store(lane, v128.shuffle32(get(x), get(y), [half, half + 4, half + 1, half + 5]))
    }),
  ]
}

/** Function `(from, apart, blocks, to)`: see `BlockProducts.packDeep`. */
export const packDeep = (module: ModuleBuilder, target: Target, columns: number, name: string, groups: Groups): number =>
  module.once(`matmul_pack_deep_${name}_${columns}`, () =>
    module.func(`matmul_pack_deep_${name}`, ["i32", "i32", "i32", "i32"], [], (f, from, apart, blocks, to) => {
      const { fours, blockBytes } = groups
      const block = f.local("i32"), rows = Array.from({ length: 4 }, () => f.local("v128"))
      const places = [from, ...Array.from({ length: columns - 1 }, () => f.local("i32"))]
      const code = places.map((place) => groups.wasm(module, f, place).map((group) => held(f, group)))
      const rowBytes = 4 * COLUMNS, groupBytes = 4 * fours.length * rowBytes
      const half = (g: number, first: number): Code => {
        const own = code.slice(first, first + 4).map((all) => all[g])
        return [
          own.map(({ start }) => start),
          fours.map((four, v): Code => [
            rows.map((row, c) =>
              set(row, c < own.length ? elements(module, target, own[c], four, v) : f32x4.const(0))
            ),
            transposed(f, rows, (lane, vector) =>
              v128.store(get(to), vector, g * groupBytes + rowBytes * (four.first + lane * four.step) + 4 * first)),
          ]),
        ]
      }
      return [
        places.slice(1).map((place, i) => set(place, i32.add(get(places[i]), get(apart)))),
        forRange(
          block,
          i32.const(0),
          get(blocks),
          1,
          code[0].map((_, g) => [half(g, 0), half(g, 4)]),
          places.map((place) => increase(place, blockBytes)),
          increase(to, groupBytes * code[0].length),
        ),
      ]
    }))

/** Function `(from, stride, k, to, apart)`: see `BlockProducts.packWide`. */
export const packWide = (module: ModuleBuilder, target: Target, name: string, groups: Groups): number =>
  module.once(`matmul_pack_wide_${name}`, () =>
    module.func(`matmul_pack_wide_${name}`, ["i32", "i32", "i32", "i32", "i32"], [], (f, from, stride, k, to, apart) => {
      const { fours, block } = groups
      const l = f.local("i32"), rows = Array.from({ length: 4 }, () => f.local("v128"))
      const panels = [to, ...Array.from({ length: block / COLUMNS - 1 }, () => f.local("i32"))]
      const code = groups.wasm(module, f, from).map((group) => held(f, group))
      const store = (place: number, vector: Code): Code =>
        v128.store(get(panels[Math.floor(place / COLUMNS)]), vector, 4 * (place % COLUMNS))
      const group = (own: GroupCode, g: number): Code => {
        const start = 4 * fours.length * g
        /** The fours of one element each of sixteen neighbours. */
        const spread = (first: number): Code => [
          rows.map((row, i) => {
            const v = fours.findIndex((four) => four.step === 4 && four.first === first + i)
            return set(row, elements(module, target, own, fours[v], v))
          }),
          transposed(f, rows, (lane, vector) => store(start + first + 4 * lane, vector)),
        ]
        return [
          own.start,
          fours.map((four, v) => {
            if (four.step === 1) return store(start + four.first, elements(module, target, own, four, v))
            return four.first % 16 === 0 ? spread(four.first) : []
          }),
        ]
      }
      return [
        panels.slice(1).map((panel, i) => set(panel, i32.add(get(panels[i]), get(apart)))),
        forRange(
          l,
          i32.const(0),
          get(k),
          1,
          code.map(group),
          increase(from, get(stride)),
          panels.map((panel) => increase(panel, 4 * COLUMNS)),
        ),
      ]
    }))
