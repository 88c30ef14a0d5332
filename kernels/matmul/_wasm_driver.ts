/**
 * How a matrix product in WebAssembly is cut into units of work, and the loops around the micro-kernel.
 * @module
 */
import {
  call as callFunction,
  type Code,
  forRange,
  get,
  globalGet,
  globalSet,
  i32,
  increase,
  type ModuleBuilder,
  select,
  set,
  type Target,
  when,
  whileTrue,
} from "../wasm/assembler.ts"
import { COLUMNS, microKernel, ROWS } from "./_wasm_micro_kernel.ts"
import { STRIP_COLUMNS, stripDepth, stripKernel } from "./_wasm_strip_kernel.ts"
import { distancesOf, enterEntry, minimum, scaled, type Storages } from "./_wasm_operands.ts"
import { layoutOf, pack } from "./_wasm_pack.ts"
import type { Product } from "./product.ts"

/** Most depth of a block. Whole is best: b is packed once, the output written once, and rows of a are read in long streams;
 * from here on a row of a for each row of the tile no longer stays in the nearer caches. */
const DEPTH = 1536
/** Panels of b in a chunk: the packed block (384 KiB) stays in the second-level cache. */
const CHUNK_BYTES = 3 << 17
/** The same where strips of b go by: each is read once for many rows. */
const WIDE_CHUNK_BYTES = 1 << 20
/** Lines of the first-level cache so far apart, in bytes, take each other's places. */
const PAGE = 4096
/** Panels of rows that pass by a strip of b: what they have of a, b and the output stays in the second-level cache. */
const GROUP = 24
/** Strips that follow each other along k before the next columns: as GROUP says. */
const STRIPS = 4
/** Chunks are so narrow that there are so many units, for even shares of many threads. */
const UNITS = 96

const constant = i32.const

/** How a product is cut. Depends on the product alone. */
export interface Blocking {
  /** Panels of rows in an entry. */
  readonly rowPanels: number
  /** Rows of the first `fullPanels` panels, and of the others. */
  readonly rows: number
  readonly fullPanels: number
  readonly restRows: number
  /** Terms of a strip of b in joined vectors; 0: no strips. */
  readonly strip: number
  /** Rows from one of a panel to its next. */
  readonly apart: number
  /** Rows from the first of a panel to that of the next panel. */
  readonly step: number
  /** Panels of columns in an entry. */
  readonly columnPanels: number
  /** Panels of columns in a chunk, and chunks. */
  readonly chunkPanels: number
  readonly chunks: number
  /** Terms that are summed at a time. */
  readonly depth: number
  /** Pieces of work: each is one panel of rows in one chunk. */
  readonly units: number
  /** Fewest of them that pay for packing. */
  readonly grain: number
  /** What a thread packs into, in bytes. */
  readonly scratchBytes: number
}
/** Cuts a product. */
export const blockingOf = ({ batch, m, n, k, a }: Product, storages: Storages, target: Target): Blocking => {
  const entries = batch.reduce((product, { extent }) => product * extent, 1)
  const columnPanels = Math.ceil(n / COLUMNS)
  const depth = Math.ceil(k / Math.max(1, Math.ceil(k / DEPTH)))
  // Rows of a that are read whole are far apart, and the next panel has the rows behind them: so each is part of a long
  // stream, which the machine prefetches. But not so that they fall on the same lines of a cache.
  const aLayout = layoutOf(a.k, a.m), along = aLayout === "depth"
  const least = Math.ceil(m / ROWS)
  const wide = target.wide === true && aLayout !== "strided" && storages.a === "f32" && n >= STRIP_COLUMNS &&
    Math.ceil(m / least) === ROWS
  const strip = wide ? stripDepth(depth) : 0
  const far = along && depth === k && strip === 0
  const rowPanels = far && 4 * least * a.m % PAGE === 0 ? least + 1 : least
  const rows = Math.ceil(m / rowPanels)
  const most = Math.floor((strip > 0 ? WIDE_CHUNK_BYTES : CHUNK_BYTES) / (4 * COLUMNS * Math.max(1, depth)))
  const atLeast = Math.min(
    columnPanels,
    Math.max(Math.ceil(columnPanels / most), Math.ceil(UNITS / (entries * rowPanels))),
  )
  const chunkPanels = evenly(columnPanels, atLeast)
  const chunks = Math.ceil(columnPanels / chunkPanels)
  const [fullPanels, restRows] = far
    ? [m - (rows - 1) * rowPanels, rows - 1]
    : [rowPanels - 1, m - (rowPanels - 1) * rows]
  return {
    rowPanels,
    rows,
    fullPanels,
    restRows,
    strip,
    apart: far ? rowPanels : 1,
    step: far ? 1 : rows,
    columnPanels,
    chunkPanels,
    chunks,
    depth,
    units: entries * chunks * rowPanels,
    // What is packed as a whole is held from run to run.
    grain: k <= depth ? 1 : rowPanels,
    scratchBytes: 4 * depth * (COLUMNS * chunkPanels + rows) + (strip > 0 ? 4 * GROUP * ROWS * STRIP_COLUMNS : 0),
  }
}

/** Size of the parts when `count` things fall into `least` to twice as many: the largest that leaves the last one fullest. */
const evenly = (count: number, least: number): number => {
  const sizes = Array.from({ length: least + 1 }, (_, i) => Math.ceil(count / (least + i)))
  const missing = (size: number) => size * Math.ceil(count / size) - count
  return sizes.reduce((best, size) => missing(size) < missing(best) ? size : best)
}

/** Global of a thread with the number, from 1 on, of the chunk that it holds packed as a whole; else 0. */
const held = (module: ModuleBuilder): number => module.once("matmul held", () => module.global())
/** What a thread does before the units of another product: what it holds is not that one's. */
export const forget = (module: ModuleBuilder): Code => globalSet(held(module), constant(0))

/**
 * Index of the function `(begin, end, scratch, a, b, output, ...beside)`, all i32, that runs units of one shape of
 * product and then, where there is one, the function of its epilogue.
 */
export const driver = (
  module: ModuleBuilder,
  target: Target,
  product: Product,
  storages: Storages,
  epilogue: number | undefined,
): number => {
  const { m, n, k } = product
  const blocking = blockingOf(product, storages, target)
  const { rowPanels, rows, fullPanels, restRows, strip, apart, step, columnPanels, chunkPanels, chunks, depth } =
    blocking
  const aLayout = layoutOf(product.a.k, product.a.m)
  const bLayout = layoutOf(product.b.k, product.b.n)
  // In place where a pass of packing would not be paid back by reuse.
  const aInPlace = storages.a === "f32" &&
    (aLayout === "depth" || aLayout === "across" && Math.min(columnPanels, chunkPanels) <= 2)
  const width = n % COLUMNS
  const bytes = distancesOf(product, storages)
  const params = new Array(6 + bytes.beside.length).fill("i32" as const)
  return module.once(
    `matmul ${JSON.stringify([product, storages, target, epilogue])}`,
    () =>
      module.func(`matmul_${m}x${n}x${k}`, params, [], (f, begin, end, scratch, a, b, output, ...bases) => {
        const local = () => f.local("i32")
        const [entry, chunk, last, panels, full, a0, b0, output0] = [0, 0, 0, 0, 0, 0, 0, 0].map(local)
        const [start, count, panel, column, aPanel, bPanel, to] = [0, 0, 0, 0, 0, 0, 0].map(local)
        const [wideEnd, tiles, tile, term, from, until, pair] = [0, 0, 0, 0, 0, 0, 0].map(local)
        const [before, beforeStride, isLast] = [0, 0, 0].map(local)
        const starts = bases.map(local), firstRow = local(), number = local()
        const aScratch = i32.add(get(scratch), constant(32 * depth * chunkPanels))
        const stripLayout = aLayout === "depth" ? "depth" : "across"
        const stripStride = constant(aLayout === "depth" ? bytes.a.m : bytes.a.k)
        // Rows of an output that fall on few lines of a cache: strips hand their sums on to the next ones elsewhere.
        const crowded = bytes.output.m % (PAGE / 2) === 0
        const [sums, sumsStride] = crowded
          ? [i32.add(aScratch, constant(4 * depth * rows)), constant(4 * STRIP_COLUMNS)]
          : [get(to), constant(bytes.output.m)]

        const tilesOf = (tileRows: number, tileWidth: number, times: Code): Code =>
          callFunction(
            microKernel(module, target, {
              a: aInPlace ? aLayout : "panel",
              b: "panel",
              rows: tileRows,
              width: tileWidth,
            }),
            get(aPanel),
            constant(aLayout === "depth" ? apart * bytes.a.m : bytes.a.k),
            get(bPanel),
            constant(bytes.b.k),
            get(count),
            get(to),
            constant(apart * bytes.output.m),
            get(start),
            times,
          )
        const chunkColumns = chunkPanels * COLUMNS
        const finish = (rows: Code): Code => {
          if (epilogue === undefined) return []
          const first = scaled(get(panel), step)
          const code = callFunction(
            epilogue,
            rows,
            minimum(f, constant(chunkColumns), i32.sub(constant(n), scaled(get(chunk), chunkColumns))),
            i32.add(get(firstRow), first),
            scaled(get(chunk), chunkColumns),
            i32.add(get(output0), i32.mul(first, constant(bytes.output.m))),
            ...bytes.beside.map((view, i) => i32.add(get(starts[i]), i32.mul(first, constant(view.m)))),
          )
          return k <= depth ? code : when(i32.geU(i32.add(get(start), get(count)), constant(k)), code)
        }
        const rowOfTiles = (tileRows: number): Code => [
          aInPlace ? [] : [
            callFunction(
              pack(module, aLayout, tileRows, tileRows, storages.a),
              get(aPanel),
              constant(bytes.a.k),
              constant(apart * bytes.a.m),
              get(count),
              aScratch,
            ),
            set(aPanel, aScratch),
          ],
          when(get(full), tilesOf(tileRows, COLUMNS, get(full))),
          width > 0
            ? when(i32.ltU(get(full), get(panels)), [
              increase(to, scaled(get(full), 4 * COLUMNS)),
              increase(bPanel, i32.mul(get(full), scaled(get(count), 4 * COLUMNS))),
              tilesOf(tileRows, width, constant(1)),
            ])
            : [],
          finish(constant(tileRows)),
        ]
        const packColumns = (lanes: number): Code =>
          callFunction(
            pack(module, bLayout, lanes, COLUMNS, storages.b),
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
        const enterPanel: Code = [
          set(
            aPanel,
            i32.add(get(a0), i32.add(scaled(get(panel), step * bytes.a.m), scaled(get(start), bytes.a.k))),
          ),
          set(bPanel, get(scratch)),
          set(to, i32.add(get(output0), scaled(get(panel), step * bytes.output.m))),
        ]
        const rowPanel: Code = [
          enterPanel,
          restRows === rows || fullPanels === rowPanels
            ? rowOfTiles(rows)
            : when(i32.ltU(get(panel), constant(fullPanels)), rowOfTiles(rows), rowOfTiles(restRows)),
        ]
        /** The terms from `term` on of one panel of columns, for all rows of a group. */
        const rest = (tileWidth: number, panelOfPair: number): Code =>
          forRange(
            tile,
            constant(0),
            get(tiles),
            1,
            callFunction(
              microKernel(module, target, { a: stripLayout, b: "panel", rows: ROWS, width: tileWidth }),
              i32.add(i32.add(get(aPanel), scaled(get(term), bytes.a.k)), scaled(get(tile), ROWS * bytes.a.m)),
              stripStride,
              i32.add(get(bPanel), scaled(i32.add(get(term), scaled(get(count), panelOfPair)), 4 * COLUMNS)),
              constant(0),
              i32.sub(get(until), get(term)),
              i32.add(i32.add(get(to), constant(4 * COLUMNS * panelOfPair)), scaled(get(tile), ROWS * bytes.output.m)),
              constant(bytes.output.m),
              i32.or(get(start), get(term)),
              constant(1),
            ),
          )
        const group = (): Code => [
          set(tiles, minimum(f, constant(GROUP), i32.sub(get(wideEnd), get(panel)))),
          set(from, constant(0)),
          whileTrue(
            i32.ltU(get(from), get(count)),
            set(until, minimum(f, get(count), i32.add(get(from), constant(STRIPS * strip)))),
            enterPanel,
            forRange(
              pair,
              constant(0),
              i32.shrU(get(full), constant(1)),
              1,
              set(term, get(from)),
              set(before, get(to)),
              set(beforeStride, constant(bytes.output.m)),
              whileTrue(
                i32.leU(i32.add(get(term), constant(strip)), get(until)),
                set(isLast, i32.gtU(i32.add(get(term), constant(2 * strip)), get(until))),
                callFunction(
                  stripKernel(module, target, stripLayout, strip),
                  i32.add(get(aPanel), scaled(get(term), bytes.a.k)),
                  stripStride,
                  i32.add(get(bPanel), scaled(get(term), 4 * COLUMNS)),
                  scaled(get(count), 4 * COLUMNS),
                  get(before),
                  get(beforeStride),
                  select(get(to), sums, get(isLast)),
                  select(constant(bytes.output.m), sumsStride, get(isLast)),
                  get(tiles),
                  i32.or(get(start), get(term)),
                ),
                set(before, sums),
                set(beforeStride, sumsStride),
                increase(term, strip),
              ),
              k <= depth && k % strip === 0
                ? []
                : when(i32.ltU(get(term), get(until)), [rest(COLUMNS, 0), rest(COLUMNS, 1)]),
              increase(bPanel, scaled(get(count), 4 * STRIP_COLUMNS)),
              increase(to, 4 * STRIP_COLUMNS),
            ),
            set(term, get(from)),
            when(i32.and(get(full), constant(1)), [
              rest(COLUMNS, 0),
              increase(bPanel, scaled(get(count), 4 * COLUMNS)),
              increase(to, 4 * COLUMNS),
            ]),
            width > 0 ? when(i32.ltU(get(full), get(panels)), rest(width, 0)) : [],
            set(from, get(until)),
          ),
          finish(scaled(get(tiles), ROWS)),
          increase(panel, get(tiles)),
        ]
        const groups: Code = strip === 0 ? [] : [
          set(wideEnd, minimum(f, get(last), constant(restRows === rows ? rowPanels : fullPanels))),
          whileTrue(i32.ltU(get(panel), get(wideEnd)), group()),
        ]
        return whileTrue(
          i32.ltU(get(begin), get(end)),
          // The panels of rows that this run of units has in one chunk of one entry.
          set(panel, i32.remU(get(begin), constant(rowPanels))),
          set(entry, i32.divU(get(begin), constant(rowPanels))),
          set(number, i32.add(get(entry), constant(1))),
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
          set(b0, i32.add(get(b), scaled(get(chunk), chunkColumns * bytes.b.n))),
          set(output0, i32.add(get(output), scaled(get(chunk), chunkColumns * 4))),
          starts.map((place, i) =>
            set(place, i32.add(get(bases[i]), scaled(get(chunk), chunkColumns * bytes.beside[i].n)))
          ),
          epilogue === undefined ? [] : set(firstRow, scaled(get(entry), m)),
          enterEntry(product, storages, entry, { a: a0, b: b0, output: output0, beside: starts }),
          increase(begin, i32.sub(get(last), get(panel))),
          set(entry, get(panel)), // where each block of depth begins anew
          set(start, constant(0)),
          // At least once: of no terms, the sum is 0.
          whileTrue(
            i32.or(i32.ltU(get(start), constant(k)), i32.eqz(get(start))),
            set(count, minimum(f, constant(depth), i32.sub(constant(k), get(start)))),
            k <= depth
              ? when(i32.ne(globalGet(held(module)), get(number)), [packBlock, globalSet(held(module), get(number))])
              : packBlock,
            set(panel, get(entry)),
            groups,
            forRange(panel, get(panel), get(last), 1, rowPanel),
            increase(start, Math.max(1, depth)),
          ),
        )
      }),
  )
}
