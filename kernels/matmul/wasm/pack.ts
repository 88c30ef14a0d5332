/**
 * Packing of a matrix product's operands in WebAssembly: panels that a micro-kernel reads in order.
 * @module
 */
import { F32 } from "../../encodings.ts"
import { type Encoding, inBlocks } from "../../encoding.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  get,
  globalGet,
  globalSet,
  i32,
  increase,
  type ModuleBuilder,
  set,
  v128,
  when,
} from "../../wasm/assembler.ts"
import { blockOf, loadStored, stepOf, storeLanes } from "../../wasm/lanes.ts"
import { memoryOf } from "../../wasm/placed.ts"
import { COLUMNS, type Layout, vectorsOf } from "./micro_kernel.ts"
import type { Writing } from "./operands.ts"
import type { Product } from "../product.ts"

/** How an operand lies, by its strides in elements along k and along m or n. */
export const layoutOf = (depthStride: number, acrossStride: number): Layout | "strided" =>
  depthStride === 1 ? "depth" : acrossStride === 1 ? "across" : "strided"

/**
 * Index of the function `(from, depthStride, acrossStride, k, to)`, all i32: packs `count` lanes of each k, side by
 * side, into [k][padded]; further lanes are 0. Addresses and strides in bytes; a stride of one element where the layout
 * says so. What comes out is f32, whatever the encoding.
 */
export const pack = (
  module: ModuleBuilder,
  layout: Layout | "strided",
  count: number,
  padded: number,
  encoding: Encoding = F32,
): number => {
  const name = `matmul_pack_${layout}_${encoding.name}_${count}_${padded}`
  const params = ["i32", "i32", "i32", "i32", "i32"] as const
  return module.once(name, () =>
    module.func(name, params, [], (f, from, depthStride, acrossStride, k, to) => {
      const [l, whole, at, vector] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("v128")]
      const load = (address: number, lanes: number, offset = 0) =>
        loadStored(module, encoding, get(address), 1, lanes, offset)
      const padding = Array.from({ length: padded - count }, (_, i) => count + i)
      const zeros = (step = 0): Code =>
        padding.map((lane) => storeLanes(get(to), 1, 1, padded * step + lane, f32x4.const(0)))
      const oneByOne = (start: Code): Code =>
        forRange(
          l,
          start,
          get(k),
          1,
          layout === "across"
            ? vectorsOf(count).map(({ at, lanes }): Code => [
              set(vector, load(from, lanes, at)),
              storeLanes(get(to), 1, lanes, at, get(vector)),
            ])
            : [
              set(at, get(from)),
              Array.from({ length: count }, (_, lane): Code => [
                set(vector, load(at, 1)),
                storeLanes(get(to), 1, 1, lane, get(vector)),
                increase(at, get(acrossStride)),
              ]),
            ],
          zeros(),
          increase(from, get(depthStride)),
          increase(to, 4 * padded),
        )
      if (layout !== "depth") return oneByOne(i32.const(0))
      // Four k at a time: transposes of 4x4, and what is left of the lanes.
      const vectors = Array.from({ length: 4 }, () => f.local("v128"))
      const halves = Array.from({ length: 4 }, () => f.local("v128"))
      const next = (vector: number): Code => [set(vector, load(at, 4)), increase(at, get(acrossStride))]
      const transpose = (lane: number): Code => [
        vectors.map(next),
        [[0, 2, 0], [1, 3, 0], [0, 2, 2], [1, 3, 2]].map(([x, y, lane], i) =>
          set(halves[i], v128.shuffle32(get(vectors[x]), get(vectors[y]), [lane, lane + 4, lane + 1, lane + 5]))
        ),
        [0, 1, 2, 3].map((i) => {
          const [x, y, half] = [halves[i < 2 ? 0 : 2], halves[i < 2 ? 1 : 3], 2 * (i % 2)]
          const four = v128.shuffle32(get(x), get(y), [half, half + 4, half + 1, half + 5])
          return storeLanes(get(to), 1, 4, padded * i + lane, four)
        }),
      ]
      const single = (lane: number): Code => [
        next(vector),
        [0, 1, 2, 3].map((step) => v128.store32Lane(step, get(to), get(vector), 4 * (padded * step + lane))),
      ]
      return [
        set(whole, i32.and(get(k), i32.const(-4))),
        forRange(
          l,
          i32.const(0),
          get(whole),
          4,
          set(at, get(from)),
          vectorsOf(count).map(({ at, lanes }) =>
            lanes === 4 ? transpose(at) : Array.from({ length: lanes }, (_, i) => single(at + i))
          ),
          [0, 1, 2, 3].map(zeros),
          increase(from, 4 * stepOf(encoding)),
          increase(to, 16 * padded),
        ),
        // Whole blocks leave nothing over.
        inBlocks(encoding) ? [] : oneByOne(get(whole)),
      ]
    }))
}

/** Locals of what is packed: the first element in b and the place of the panel, which both move on, a column, and the terms. */
type Packing = Readonly<Record<"from" | "to" | "column" | "count", number>>

/** Panels that are packed together: those that a block along the columns lies in, if it is read as a whole. */
export const panelsTogether = ({ b }: Product, encoding: Encoding): number =>
  inBlocks(encoding) && encoding.products !== undefined && layoutOf(b.k, b.n) === "across"
    ? encoding.block / COLUMNS
    : 1

/** Packs the panels of columns of a run, {@link COLUMNS} columns each. */
export const packPanels = (
  { module, target, product: { b, n }, encodings: { b: encoding } }: Writing,
  { full, panels }: { readonly full: number; readonly panels: number },
  { from, to, column, count }: Packing,
): Code => {
  const bytes = stepOf(encoding), width = n % COLUMNS
  const panelBytes = i32.mul(get(count), i32.const(4 * COLUMNS))
  const layout = layoutOf(b.k, b.n), blocks = { module, target, memory: memoryOf(encoding) }
  const whole = inBlocks(encoding) && encoding.products !== undefined
  if (whole && layout === "across") {
    const together = encoding.block / COLUMNS
    const packed = callFunction(
      encoding.products.packWide(blocks),
      blockOf(module, encoding, get(from)),
      i32.const(b.k / encoding.block * encoding.blockBytes),
      get(count),
      get(to),
      panelBytes,
    )
    return forRange(
      column,
      i32.const(0),
      get(panels),
      together,
      packed,
      increase(from, encoding.block),
      increase(to, i32.mul(panelBytes, i32.const(together))),
    )
  }
  const packed = (columns: number): Code =>
    whole
      ? callFunction(
        encoding.products.packDeep(blocks, columns),
        blockOf(module, encoding, get(from)),
        i32.const(b.n / encoding.block * encoding.blockBytes),
        i32.divU(get(count), i32.const(encoding.block)),
        get(to),
      )
      : callFunction(
        pack(module, layout, columns, COLUMNS, encoding),
        get(from),
        i32.const(bytes * b.k),
        i32.const(bytes * b.n),
        get(count),
        get(to),
      )
  return [
    forRange(
      column,
      i32.const(0),
      get(full),
      1,
      packed(COLUMNS),
      increase(from, COLUMNS * bytes * b.n),
      increase(to, panelBytes),
    ),
    width > 0 ? when(i32.ltU(get(full), get(panels)), packed(width)) : [],
  ]
}

/** Global of a thread with the number, from 1 on, of the chunk that it holds packed as a whole; else 0. */
const held = (module: ModuleBuilder): number => module.once("matmul held", () => module.global())
/** What a thread does before the units of another product: what it holds is not that one's. */
export const forget = (module: ModuleBuilder): Code => globalSet(held(module), i32.const(0))
/** Packs a chunk, a local with its number, unless the thread holds it already. */
export const packOnce = (module: ModuleBuilder, number: number, packed: Code): Code =>
  when(i32.ne(globalGet(held(module)), get(number)), [packed, globalSet(held(module), get(number))])
