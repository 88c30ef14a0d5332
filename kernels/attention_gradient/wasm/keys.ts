/**
 * The keys' part in a block of the derivative of attention in WebAssembly: what its queries add to dk and dv.
 * @module
 */
import { byHeight, bytesAlong, firstRow, integers, lesser, panelsOf, zeroRows } from "../../attention/wasm/parts.ts"
import { packColumns, rowsTimesPanels, STRIP, tilesTimesPanels } from "../../attention/wasm/products.ts"
import { ROWS } from "../../matmul/wasm/micro_kernel.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import {
  call as callFunction,
  type Code,
  forRange,
  get,
  i32,
  increase,
  select,
  set,
  when,
} from "../../wasm/assembler.ts"
import { type Block, eachRange } from "./block_parts.ts"

/** Packs columns of the block's queries and cotangents, before their addresses move on. */
export const packQueries = (block: Block): Code => {
  const { context: { module }, within, queries } = block
  return keyProducts(block).map(({ from, fromStride, panels, columns }) =>
    callFunction(
      packColumns(module, "across", columns % 8),
      get(from),
      i32.const(fromStride),
      get(queries),
      i32.const(columns),
      within(panels),
      scaled(get(queries), 32),
    )
  )
}

/** Tile by tile, each with all queries that see some of it. */
export const narrowKeys = (block: Block): Code => {
  const { f, keys } = block
  const [tile, key] = integers(f, 2)
  const tiles = panelsOf(keys)
  return [
    set(key, i32.const(0)),
    forRange(
      tile,
      i32.const(0),
      i32.const(tiles.count),
      1,
      byHeight(tiles, get(tile), (height) => [tileOf(block, height, get(key)), increase(key, height)]),
    ),
  ]
}

/** In wide vectors: a strip of queries after the other, each with all whole tiles that some of it see. */
export const wideKeys = (block: Block): Code => {
  const { context: { module, target }, f, keys, lies, within, queries, moreQueries } = block
  const [query, endQuery, firstKey, endKey, firstTile, endTile, panelQuery] = integers(f, 7)
  const products = keyProducts(block)
  const whole = Math.floor(keys / ROWS), rest = keys % ROWS
  /** Sets the tiles between the first and the last key that one of the strip's queries sees; elsewhere weights are 0. */
  const findTiles: Code = [
    set(firstKey, i32.const(keys)),
    set(endKey, i32.const(0)),
    set(panelQuery, i32.const(0)),
    eachRange(block, (range) => {
      const first = i32.load(get(range)), end = i32.load(get(range), 4)
      const inStrip = i32.and(
        i32.ltU(get(panelQuery), get(endQuery)),
        i32.gtU(i32.add(get(panelQuery), i32.const(ROWS)), get(query)),
      )
      return [
        when(i32.and(inStrip, i32.ltU(first, end)), [
          set(firstKey, lesser(get(firstKey), first)),
          set(endKey, select(get(endKey), end, i32.gtU(get(endKey), end))),
        ]),
        increase(panelQuery, ROWS),
      ]
    }),
    set(firstTile, i32.divU(get(firstKey), i32.const(ROWS))),
    set(endTile, lesser(i32.divU(i32.add(get(endKey), i32.const(ROWS - 1)), i32.const(ROWS)), i32.const(whole))),
  ]
  return [
    when(
      i32.eqz(get(moreQueries)),
      products.map(({ to, toStride, columns }) => zeroRows(f, get(to), i32.const(ROWS * whole), columns, toStride)),
    ),
    forRange(
      query,
      i32.const(0),
      get(queries),
      STRIP,
      set(endQuery, lesser(get(queries), i32.add(get(query), i32.const(STRIP)))),
      findTiles,
      when(
        i32.ltU(get(firstTile), get(endTile)),
        products.map(({ rows, panels, columns, to, toStride }) =>
          callFunction(
            tilesTimesPanels(module, target, {
              layout: "across",
              aStride: lies.rowBytes,
              outputStride: toStride,
              tail: columns % 8,
            }),
            i32.add(i32.add(within(rows), scaled(get(query), lies.rowBytes)), scaled(get(firstTile), 4 * ROWS)),
            i32.sub(get(endTile), get(firstTile)),
            i32.add(within(panels), scaled(get(query), 32)),
            scaled(get(queries), 32),
            i32.sub(get(endQuery), get(query)),
            i32.const(columns),
            i32.add(get(to), scaled(get(firstTile), ROWS * toStride)),
            i32.const(1),
          )
        ),
      ),
    ),
    rest === 0 ? [] : tileOf(block, rest, i32.const(keys - rest)),
  ]
}

/** What all queries of the block add to a tile of `height` keys from `key` on. */
const tileOf = (block: Block, height: number, key: Code): Code => {
  const { context: { module, target }, f, shape, lies, within, queries, moreQueries } = block
  const [firstQuery, endQuery, panelQuery, nextQuery] = integers(f, 4)
  const rowOf = (panel: Code): Code => firstRow(shape, panel)
  return [
    // The queries that see some of these keys lie between these two.
    set(firstQuery, get(queries)),
    set(endQuery, i32.const(0)),
    set(panelQuery, i32.const(0)),
    eachRange(block, (range, panel) => [
      set(
        nextQuery,
        i32.add(get(panelQuery), i32.sub(rowOf(i32.add(get(panel), i32.const(1))), rowOf(get(panel)))),
      ),
      when(
        i32.and(
          i32.ltU(i32.load(get(range)), i32.add(key, i32.const(height))),
          i32.gtU(i32.load(get(range), 4), key),
        ),
        [set(firstQuery, lesser(get(firstQuery), get(panelQuery))), set(endQuery, get(nextQuery))],
      ),
      set(panelQuery, get(nextQuery)),
    ]),
    set(firstQuery, lesser(get(firstQuery), get(endQuery))),
    keyProducts(block).map(({ rows, panels, columns, to, toStride }) =>
      callFunction(
        rowsTimesPanels(module, target, {
          layout: "across",
          rows: height,
          aStride: lies.rowBytes,
          outputStride: toStride,
          tail: columns % 8,
        }),
        i32.add(i32.add(within(rows), scaled(get(firstQuery), lies.rowBytes)), scaled(key, 4)),
        i32.add(within(panels), scaled(get(firstQuery), 32)),
        scaled(get(queries), 32),
        i32.sub(get(endQuery), get(firstQuery)),
        i32.const(columns),
        i32.add(get(to), scaled(key, toStride)),
        get(moreQueries),
      )
    ),
  ]
}

/** What gives dk and dv, where they are asked for: rows in the scratch, transposed, times packed columns of `from`. */
const keyProducts = ({ shape, lies, at }: Block) => {
  const { q, cotangent, dk, dv, width, valueWidth } = shape
  return [
    ...dk === undefined ? [] : [{
      rows: lies.scores,
      panels: lies.queryColumns,
      columns: width,
      from: at.q,
      fromStride: bytesAlong(q, 3),
      to: at.dk,
      toStride: bytesAlong(dk, 2),
    }],
    ...dv === undefined ? [] : [{
      rows: lies.weights,
      panels: lies.cotangentColumns,
      columns: valueWidth,
      from: at.cotangent,
      fromStride: bytesAlong(cotangent, 3),
      to: at.dv,
      toStride: bytesAlong(dv, 2),
    }],
  ]
}
