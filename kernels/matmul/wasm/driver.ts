/**
 * How a matrix product in WebAssembly is cut into units of work, and the loops around the micro-kernel.
 * @module
 */
import { F32 } from "../../encodings.ts"
import { call as callFunction, type Code, forRange, get, i32, increase, set, when } from "../../wasm/assembler.ts"
import { COLUMNS, microKernel, ROWS } from "./micro_kernel.ts"
import { distancesOf, type Encodings, scaled, type Writing } from "./operands.ts"
import { layoutOf, pack, packPanels, panelsTogether } from "./pack.ts"
import { chunkOf, type Cut, depthOf, driverOf, UNITS } from "./runs.ts"
import type { Product } from "../product.ts"

/** Panels of b in a chunk: the packed block (384 KiB) stays in the second-level cache. */
const CHUNK_BYTES = 3 << 17
/** Lines of the first-level cache so far apart, in bytes, take each other's places. */
const PAGE = 4096

const constant = i32.const

/** How a product is cut. Depends on the product alone. */
export interface Blocking extends Cut {
  /** Rows of the first `fullPanels` panels, and of the others. */
  readonly rows: number
  readonly fullPanels: number
  readonly restRows: number
  /** Rows from the first of a panel to that of the next panel; from one of a panel to its next there are `apart`. */
  readonly step: number
}
/** Cuts a product. */
export const blockingOf = (product: Product, encodings: Encodings): Blocking => {
  const { batch, m, n, k, a } = product
  const entries = batch.reduce((product, { extent }) => product * extent, 1)
  const columnPanels = Math.ceil(n / COLUMNS)
  const depth = depthOf(k, encodings.b)
  // Rows of a that are read whole are far apart, and the next panel has the rows behind them: so each is part of a long
  // stream, which the machine prefetches. But not so that they fall on the same lines of a cache.
  const far = layoutOf(a.k, a.m) === "depth" && depth === k
  const fewest = Math.ceil(m / ROWS)
  const rowPanels = far && 4 * fewest * a.m % PAGE === 0 ? fewest + 1 : fewest
  const rows = Math.ceil(m / rowPanels)
  const most = Math.floor(CHUNK_BYTES / (4 * COLUMNS * Math.max(1, depth)))
  const least = Math.max(Math.ceil(columnPanels / most), Math.ceil(UNITS / (entries * rowPanels)))
  const chunkPanels = chunkOf(columnPanels, panelsTogether(product, encodings.b), least)
  const chunks = Math.ceil(columnPanels / chunkPanels)
  const [fullPanels, restRows] = far
    ? [m - (rows - 1) * rowPanels, rows - 1]
    : [rowPanels - 1, m - (rowPanels - 1) * rows]
  return {
    rowPanels,
    rows,
    fullPanels,
    restRows,
    apart: far ? rowPanels : 1,
    step: far ? 1 : rows,
    columnPanels,
    chunkPanels,
    chunks,
    depth,
    units: entries * chunks * rowPanels,
    // What is packed as a whole is held from run to run.
    grain: k <= depth ? 1 : rowPanels,
    scratchBytes: 4 * depth * (COLUMNS * chunkPanels + rows),
  }
}

/** The driver of products of many rows in narrow vectors: see {@link driverOf}. */
export const driver = (writing: Writing, blocking: Blocking, epilogue: number | undefined): number => {
  const { module, target, product, encodings } = writing
  const { rowPanels, rows, fullPanels, restRows, apart, step, columnPanels, chunkPanels, depth } = blocking
  const aLayout = layoutOf(product.a.k, product.a.m)
  // In place where a pass of packing would not be paid back by reuse.
  const aInPlace = encodings.a === F32 &&
    (aLayout === "depth" || aLayout === "across" && Math.min(columnPanels, chunkPanels) <= 2)
  const width = product.n % COLUMNS
  const bytes = distancesOf(product, encodings)
  return driverOf(writing, blocking, epilogue, (f, run, scratch) => {
    const [panel, column, aPanel, bPanel, to] = Array.from({ length: 5 }, () => f.local("i32"))
    const aScratch = i32.add(get(scratch), constant(32 * depth * chunkPanels))
    const { full, panels, start, count } = run
    const tiles = (tileRows: number, tileWidth: number, times: Code): Code =>
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
    const rowOfTiles = (tileRows: number): Code => [
      aInPlace ? [] : [
        callFunction(
          pack(module, aLayout, tileRows, tileRows, encodings.a),
          get(aPanel),
          constant(bytes.a.k),
          constant(apart * bytes.a.m),
          get(count),
          aScratch,
        ),
        set(aPanel, aScratch),
      ],
      when(get(full), tiles(tileRows, COLUMNS, get(full))),
      width > 0
        ? when(i32.ltU(get(full), get(panels)), [
          increase(to, scaled(get(full), 4 * COLUMNS)),
          increase(bPanel, i32.mul(get(full), scaled(get(count), 4 * COLUMNS))),
          tiles(tileRows, width, constant(1)),
        ])
        : [],
      run.finish(constant(tileRows), scaled(get(panel), step)),
    ]
    const packBlock: Code = [
      set(bPanel, i32.add(get(run.b), scaled(get(start), bytes.b.k))),
      set(to, get(scratch)),
      packPanels(writing, run, { from: bPanel, to, column, count }),
    ]
    const rowPanel: Code = [
      set(
        aPanel,
        i32.add(get(run.a), i32.add(scaled(get(panel), step * bytes.a.m), scaled(get(start), bytes.a.k))),
      ),
      set(bPanel, get(scratch)),
      set(to, i32.add(get(run.output), scaled(get(panel), step * bytes.output.m))),
      restRows === rows || fullPanels === rowPanels
        ? rowOfTiles(rows)
        : when(i32.ltU(get(panel), constant(fullPanels)), rowOfTiles(rows), rowOfTiles(restRows)),
    ]
    return [run.packOnce(packBlock), forRange(panel, get(run.first), get(run.last), 1, rowPanel)]
  })
}
