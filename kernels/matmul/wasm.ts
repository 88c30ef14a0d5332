/**
 * Matrix product in WebAssembly, after BLIS (Van Zee and van de Geijn, 2015): a micro-kernel keeps a tile of 6x8 sums
 * in registers and runs along k over a panel of b, [k][8], that was packed to be read in order.
 *
 * A unit of work is one panel of rows in one chunk of columns of one batch entry. A thread packs for itself the part
 * of b that its units need: no stage before, no barrier. Every sum runs along k in order, so neither the number of
 * threads nor the sizes of blocks change a bit of the result.
 * @module
 */
import type { MatmulCall } from "../contract.ts"
import {
  call as callFunction,
  type Code,
  f32,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  madd,
  type ModuleBuilder,
  select,
  set,
  type Target,
  v128,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import type { KernelContext, Stage } from "../wasm/kernel.ts"
import { collapse, type Product } from "./product.ts"

const ROWS = 6
const COLUMNS = 8
/** Depth of a block: a panel of b (8 KiB) and one of a stay in the first-level cache. */
const DEPTH = 256
/** Most panels of b in a chunk: the packed block (64 KiB) stays in the second-level cache. */
const CHUNK = 8
/** Chunks get narrower until there are so many units, to occupy many threads. */
const UNITS = 32
const UNROLL = 4

const constant = i32.const
const scaled = (index: Code, by: number): Code => i32.mul(index, constant(by))
const minimum = (f: FunctionScope, a: Code, b: Code): Code => {
  const [x, y] = [f.local("i32"), f.local("i32")]
  return [set(x, a), set(y, b), select(get(x), get(y), i32.ltU(get(x), get(y)))]
}

/** Widths of the vectors that `count` neighbouring numbers fall into: 4, 4, ... and the rest. */
const vectorsOf = (count: number): { at: number; width: number }[] =>
  Array.from({ length: Math.ceil(count / 4) }, (_, i) => ({ at: 16 * i, width: Math.min(4, count - 4 * i) }))
/** Reads the first `width` lanes, the others are 0; touches no byte beyond. */
const loadLanes = (width: number, address: Code, offset: number): Code =>
  width === 4
    ? v128.load(address, offset)
    : width === 3
    ? v128.load32Lane(2, address, v128.load64Zero(address, offset), offset + 8)
    : width === 2
    ? v128.load64Zero(address, offset)
    : v128.load32Zero(address, offset)
/** Writes the first `width` lanes. */
const storeLanes = (width: number, address: Code, value: Code, offset: number): Code =>
  width === 4 ? v128.store(address, value, offset) : [
    width >= 2 ? v128.store64Lane(0, address, value, offset) : [],
    width % 2 === 1 ? v128.store32Lane(width - 1, address, value, offset + 4 * (width - 1)) : [],
  ]

/**
 * How a micro-kernel reads an operand. `panel`: packed, [k][rows] or [k][8]. Else in place: `depth` has its neighbours
 * along k side by side (stride: from row to row), `across` those along m or n (stride: from one k to the next).
 */
type Layout = "panel" | "depth" | "across"

/** Shape of a micro-kernel: a tile of `rows` x `width` sums. */
interface Tile {
  readonly a: Layout
  readonly b: "panel" | "across"
  readonly rows: number
  readonly width: number
}

/** `(a, aStride, b, bStride, k, output, outputStride, more)`: output = (more ? output : 0) + a b. Strides in bytes. */
const microKernel = (module: ModuleBuilder, target: Target, tile: Tile): number => {
  const name = `matmul_${tile.rows}x${tile.width}_${tile.a}_${tile.b}_${target.relaxed}`
  const params = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32"] as const
  return module.once(
    name,
    () =>
      module.func(name, params, [], (f, a, aStride, b, bStride, k, output, outputStride, more) => {
        const vectors = vectorsOf(tile.width)
        const sums = Array.from({ length: tile.rows }, () => vectors.map(() => f.local("v128")))
        const right = vectors.map(() => f.local("v128"))
        const [left, l, whole, row] = [f.local("v128"), f.local("i32"), f.local("i32"), f.local("i32")]
        const rows = tile.a === "depth" ? [a, ...sums.slice(1).map(() => f.local("i32"))] : []
        const steps = (count: number): Code => [
          Array.from({ length: count }, (_, step): Code => [
            right.map((vector, i) => set(vector, v128.load(get(b), 16 * i + (tile.b === "panel" ? 32 * step : 0)))),
            tile.b === "across" ? increase(b, get(bStride)) : [],
            sums.map((sum, r): Code => [
              set(
                left,
                tile.a === "depth"
                  ? v128.load32Splat(get(rows[r]), 4 * step)
                  : v128.load32Splat(get(a), 4 * r + (tile.a === "panel" ? 4 * tile.rows * step : 0)),
              ),
              sum.map((s, i) => set(s, madd(target, get(left), get(right[i]), get(s)))),
            ]),
            tile.a === "across" ? increase(a, get(aStride)) : [],
          ]),
          tile.b === "panel" ? increase(b, 32 * count) : [],
          tile.a === "panel" ? increase(a, 4 * tile.rows * count) : rows.map((pointer) => increase(pointer, 4 * count)),
        ]
        const eachRow = (body: (sum: number[]) => Code): Code => [
          set(row, get(output)),
          sums.map((sum, r): Code => [body(sum), r + 1 < tile.rows ? increase(row, get(outputStride)) : []]),
        ]
        return [
          when(
            get(more),
            eachRow((sum) => sum.map((s, i) => set(s, loadLanes(vectors[i].width, get(row), vectors[i].at)))),
          ),
          rows.slice(1).map((pointer, r) => set(pointer, i32.add(get(rows[r]), get(aStride)))),
          set(whole, i32.and(get(k), constant(-UNROLL))),
          forRange(l, constant(0), get(whole), UNROLL, steps(UNROLL)),
          forRange(l, get(whole), get(k), 1, steps(1)),
          eachRow((sum) => sum.map((s, i) => storeLanes(vectors[i].width, get(row), get(s), vectors[i].at))),
        ]
      }),
  )
}

/**
 * `(from, depthStride, acrossStride, k, to)` packs `count` lanes of each k, side by side, into [k][padded]; further
 * lanes are 0. Strides in bytes; a stride of 4 where the layout says so.
 */
const pack = (module: ModuleBuilder, layout: Layout | "strided", count: number, padded: number): number => {
  const name = `matmul_pack_${layout}_${count}_${padded}`
  const params = ["i32", "i32", "i32", "i32", "i32"] as const
  return module.once(name, () =>
    module.func(name, params, [], (f, from, depthStride, acrossStride, k, to) => {
      const [l, whole, at] = [f.local("i32"), f.local("i32"), f.local("i32")]
      const oneByOne = (start: Code): Code =>
        forRange(
          l,
          start,
          get(k),
          1,
          layout === "across"
            ? vectorsOf(padded).map(({ at, width }) =>
              storeLanes(
                width,
                get(to),
                4 * count > at ? loadLanes(Math.min(width, count - at / 4), get(from), at) : f32x4.const(0),
                at,
              )
            )
            : [
              set(at, get(from)),
              Array.from({ length: padded }, (_, i): Code =>
                i < count
                  ? [f32.store(get(to), f32.load(get(at)), 4 * i), increase(at, get(acrossStride))]
                  : f32.store(get(to), f32.const(0), 4 * i)),
            ],
          increase(from, get(depthStride)),
          increase(to, 4 * padded),
        )
      if (layout !== "depth" || count < COLUMNS) return oneByOne(constant(0))
      // Four k of eight lanes at a time: two transposes of 4x4.
      const vectors = Array.from({ length: 4 }, () => f.local("v128"))
      const halves = Array.from({ length: 4 }, () => f.local("v128"))
      const transpose = (offset: number): Code => [
        vectors.map((vector): Code => [set(vector, v128.load(get(at))), increase(at, get(acrossStride))]),
        [[0, 2, 0], [1, 3, 0], [0, 2, 2], [1, 3, 2]].map(([x, y, lane], i) =>
          set(halves[i], v128.shuffle32(get(vectors[x]), get(vectors[y]), [lane, lane + 4, lane + 1, lane + 5]))
        ),
        [0, 1, 2, 3].map((i) => {
          const [x, y, lane] = [halves[i < 2 ? 0 : 2], halves[i < 2 ? 1 : 3], 2 * (i % 2)]
          return v128.store(
            get(to),
            v128.shuffle32(get(x), get(y), [lane, lane + 4, lane + 1, lane + 5]),
            offset + 32 * i,
          )
        }),
      ]
      return [
        set(whole, i32.and(get(k), constant(-4))),
        forRange(
          l,
          constant(0),
          get(whole),
          4,
          set(at, get(from)),
          transpose(0),
          transpose(16),
          increase(from, 16),
          increase(to, 128),
        ),
        oneByOne(get(whole)),
      ]
    }))
}

const layoutOf = (depthStride: number, acrossStride: number): Layout | "strided" =>
  depthStride === 1 ? "depth" : acrossStride === 1 ? "across" : "strided"

/** How a product is cut. Depends on the product alone. */
interface Blocking {
  readonly rowPanels: number
  readonly rows: number
  readonly lastRows: number
  readonly columnPanels: number
  /** Panels of columns in a chunk, and chunks. */
  readonly chunkPanels: number
  readonly chunks: number
  readonly units: number
}
const blockingOf = ({ batch, m, n }: Product): Blocking => {
  const entries = batch.reduce((product, { extent }) => product * extent, 1)
  const rowPanels = Math.ceil(m / ROWS)
  const rows = Math.ceil(m / rowPanels)
  const columnPanels = Math.ceil(n / COLUMNS)
  let chunkPanels = CHUNK
  while (chunkPanels > 1 && entries * rowPanels * Math.ceil(columnPanels / chunkPanels) < UNITS) chunkPanels /= 2
  const chunks = Math.ceil(columnPanels / chunkPanels)
  const lastRows = m - (rowPanels - 1) * rows
  return { rowPanels, rows, lastRows, columnPanels, chunkPanels, chunks, units: entries * chunks * rowPanels }
}

/** `(begin, end, a, b, output, scratch)` runs units of one shape of product. */
const driver = (module: ModuleBuilder, target: Target, product: Product, blocking: Blocking): number => {
  const { batch, m, n, k } = product
  const { rowPanels, rows, lastRows, columnPanels, chunkPanels, chunks } = blocking
  const aLayout = layoutOf(product.a.k, product.a.m)
  const bLayout = layoutOf(product.b.k, product.b.n)
  // In place where a pass of packing would not be paid back by reuse.
  const aInPlace = aLayout === "depth" || aLayout === "across" && Math.min(columnPanels, chunkPanels) <= 2
  const bInPlace = bLayout === "across" && rowPanels <= 2 && n % COLUMNS === 0
  const width = n % COLUMNS
  const depth = Math.min(k, DEPTH)
  const bytes = {
    a: { m: 4 * product.a.m, k: 4 * product.a.k },
    b: { k: 4 * product.b.k, n: 4 * product.b.n },
    output: 4 * product.output.m,
  }
  const params = ["i32", "i32", "i32", "i32", "i32", "i32"] as const
  return module.once(
    `matmul_${JSON.stringify(product)}_${target.relaxed}`,
    () =>
      module.func(`matmul_${m}x${n}x${k}`, params, [], (f, begin, end, a, b, output, scratch) => {
        const local = () => f.local("i32")
        const [entry, chunk, last, panels, full, a0, b0, output0] = [0, 0, 0, 0, 0, 0, 0, 0].map(local)
        const [start, count, panel, column, aPanel, bPanel, to] = [0, 0, 0, 0, 0, 0, 0].map(local)
        const aScratch = i32.add(get(scratch), constant(32 * depth * chunkPanels))

        const tile = (tileRows: number, tileWidth: number): Code =>
          callFunction(
            microKernel(module, target, {
              a: aInPlace ? aLayout : "panel",
              b: bInPlace ? "across" : "panel",
              rows: tileRows,
              width: tileWidth,
            }),
            get(aPanel),
            constant(aLayout === "depth" ? bytes.a.m : bytes.a.k),
            get(bPanel),
            constant(bytes.b.k),
            get(count),
            get(to),
            constant(bytes.output),
            get(start),
          )
        const nextColumn: Code = [
          increase(to, 4 * COLUMNS),
          increase(bPanel, bInPlace ? 4 * COLUMNS : scaled(get(count), 32)),
        ]
        const rowOfTiles = (tileRows: number): Code => [
          aInPlace ? [] : [
            callFunction(
              pack(module, aLayout, tileRows, tileRows),
              get(aPanel),
              constant(bytes.a.k),
              constant(bytes.a.m),
              get(count),
              aScratch,
            ),
            set(aPanel, aScratch),
          ],
          forRange(column, constant(0), get(full), 1, tile(tileRows, COLUMNS), nextColumn),
          width > 0 ? when(i32.ltU(get(full), get(panels)), tile(tileRows, width)) : [],
        ]
        const packColumns = (lanes: number): Code =>
          callFunction(
            pack(module, bLayout, lanes, COLUMNS),
            get(bPanel),
            constant(bytes.b.k),
            constant(bytes.b.n),
            get(count),
            get(to),
          )
        const packBlock: Code = [
          set(bPanel, i32.add(get(b0), scaled(get(start), bytes.b.k))),
          set(to, get(scratch)),
          forRange(
            column,
            constant(0),
            get(full),
            1,
            packColumns(COLUMNS),
            increase(bPanel, COLUMNS * bytes.b.n),
            increase(to, scaled(get(count), 32)),
          ),
          width > 0 ? when(i32.ltU(get(full), get(panels)), packColumns(width)) : [],
        ]
        const rowPanel: Code = [
          set(
            aPanel,
            i32.add(get(a0), i32.add(scaled(get(panel), rows * bytes.a.m), scaled(get(start), bytes.a.k))),
          ),
          set(bPanel, bInPlace ? i32.add(get(b0), scaled(get(start), bytes.b.k)) : get(scratch)),
          set(to, i32.add(get(output0), scaled(get(panel), rows * bytes.output))),
          lastRows === rows
            ? rowOfTiles(rows)
            : when(i32.ltU(get(panel), constant(rowPanels - 1)), rowOfTiles(rows), rowOfTiles(lastRows)),
        ]
        /** Adds the entry's place along each batch axis, the innermost first. */
        const place: Code = [...batch].reverse().map(({ extent, ...strides }): Code => {
          const index = i32.remU(get(entry), constant(extent))
          return [
            increase(a0, scaled(index, 4 * strides.a)),
            increase(b0, scaled(index, 4 * strides.b)),
            increase(output0, scaled(index, 4 * strides.output)),
            set(entry, i32.divU(get(entry), constant(extent))),
          ]
        })
        return whileTrue(
          i32.ltU(get(begin), get(end)),
          // The panels of rows that this run of units has in one chunk of one entry.
          set(panel, i32.remU(get(begin), constant(rowPanels))),
          set(entry, i32.divU(get(begin), constant(rowPanels))),
          set(chunk, i32.remU(get(entry), constant(chunks))),
          set(entry, i32.divU(get(entry), constant(chunks))),
          set(last, minimum(f, constant(rowPanels), i32.add(get(panel), i32.sub(get(end), get(begin))))),
          set(
            panels,
            minimum(f, constant(chunkPanels), i32.sub(constant(columnPanels), scaled(get(chunk), chunkPanels))),
          ),
          set(full, get(panels)),
          width > 0 ? when(i32.eq(get(chunk), constant(chunks - 1)), increase(full, -1)) : [],
          set(a0, get(a)),
          set(b0, i32.add(get(b), scaled(get(chunk), chunkPanels * COLUMNS * bytes.b.n))),
          set(output0, i32.add(get(output), scaled(get(chunk), chunkPanels * COLUMNS * 4))),
          place,
          increase(begin, i32.sub(get(last), get(panel))),
          set(entry, get(panel)), // where each block of depth begins anew
          set(start, constant(0)),
          // At least once: of no terms, the sum is 0.
          whileTrue(
            i32.or(i32.ltU(get(start), constant(k)), i32.eqz(get(start))),
            set(count, minimum(f, constant(DEPTH), i32.sub(constant(k), get(start)))),
            bInPlace ? [] : packBlock,
            forRange(panel, get(entry), get(last), 1, rowPanel),
            increase(start, DEPTH),
          ),
        )
      }),
  )
}

/** Writes a matrix product: one stage. */
export const emitMatmul = (call: MatmulCall, context: KernelContext): readonly Stage[] => {
  const product = collapse(call)
  const blocking = blockingOf(product)
  if (!(blocking.units > 0)) return []
  const { chunkPanels, rows } = blocking
  const func = driver(context.module, context.target, product, blocking)
  const [a, b, output] = [call.a, call.b, call.output].map(({ buffer, offset }) =>
    i32.add(context.address(buffer), constant(4 * offset))
  )
  const depth = Math.min(product.k, DEPTH)
  const scratch = context.threadScratch(4 * depth * (COLUMNS * chunkPanels + rows))
  return [{
    units: blocking.units,
    run: (begin, end) => callFunction(func, begin, end, a, b, output, scratch),
  }]
}
