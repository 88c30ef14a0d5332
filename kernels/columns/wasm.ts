/**
 * WebAssembly of `columns`: one fused function a call. A tile of columns is kept in registers while the reduced rows
 * are walked in order. Where there are few tiles and many rows, the rows are cut into pieces (by the shape alone) whose
 * partial results a second stage combines in order.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { neededSteps, perRowSteps } from "../analysis.ts"
import { keyWith } from "../collapse.ts"
import type { DType, ReduceKind, View } from "../contract.ts"
import { F32 } from "../encodings.ts"
import { call as callFunction, type Code, forRange, get, i32, minU32, set, when } from "../wasm/assembler.ts"
import { combine, identity, isExpensive } from "../wasm/body.ts"
import { coordinates, type FusedBody, fusedSteps, moved } from "../wasm/fused.ts"
import { groupedStage, itemsPerUnit, type KernelContext, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { firstElement, stepOf, storeLanes } from "../wasm/lanes.ts"
import type { ColumnsCall } from "./call.ts"
import { mergeColumns } from "./merge.ts"

/** Work (simple steps on one element) from which on few tiles are cut into pieces. */
const WORTH_CUTTING = 131072
/** Fewest rows of a piece, and most pieces. */
const PIECE_ROWS = 32, PIECES = 16

/** What the function is written from, and its key. */
interface Shape extends FusedBody {
  readonly result: number
  readonly kind: ReduceKind
  readonly outer: readonly number[]
  readonly reduced: readonly number[]
  readonly columns: number
  /** Rows of one piece. */
  readonly pieceRows: number
  /** Strides of the output along [...outer, pieces, columns]. */
  readonly target: readonly number[]
}

/** Vectors in a tile. */
const tileVectors = ({ body, columns }: Shape) => Math.min(body.length <= 4 ? 8 : 4, Math.ceil(columns / 4))

/** Adds the function `(begin, end, to, ...addresses)` over tiles of pieces. */
const columnFunction = (shape: Shape, context: KernelContext): number => {
  const { body, result, kind, outer, reduced, columns, pieceRows, strides, encodings, target } = shape
  const { dtype } = body[result]
  const last = outer.length + reduced.length
  const rows = sizeOf(reduced)
  const pieces = Math.max(1, Math.ceil(rows / pieceRows))
  const vectors = tileVectors(shape)
  const tiles = Math.ceil(columns / (4 * vectors))
  const parameters = new Array(3 + strides.length).fill("i32" as const)
  return context.module.func("columns", parameters, [], (f, begin, end, to, ...bases) => {
    const [unit, tile, piece, rest, row, lastRow, store] = Array.from({ length: 7 }, () => f.local("i32"))
    const outerIndex = outer.map(() => f.local("i32")), reducedIndex = reduced.map(() => f.local("i32"))
    const outerPointers = strides.map(() => f.local("i32")), pointers = strides.map(() => f.local("i32"))
    const accumulators = Array.from({ length: vectors }, () => f.local("v128"))
    const perRow = perRowSteps(body, strides, shape.axes, last)
    const needed = neededSteps(body, [result])
    const pointer = (operand: number) => get(pointers[operand])
    const steps = fusedSteps(context, f, shape, new Set(needed), perRow, vectors, {
      first: pointer,
      here: pointer,
      index: (axis) => get([...outerIndex, ...reducedIndex][axis]),
      column: i32.mul(get(tile), i32.const(4 * vectors)),
    })
    const enterRow = [
      reduced.length > 1 ? set(rest, get(row)) : [],
      coordinates(reduced.length > 1 ? rest : row, reduced, reducedIndex),
      strides.map((by, v) =>
        set(pointers[v], moved(get(outerPointers[v]), reducedIndex, by.slice(outer.length, last), stepOf(encodings[v])))
      ),
    ]
    const compute = (which: (step: number) => boolean, copy?: number, count?: number): Code =>
      needed.filter(which).map((step) => steps.compute(step, copy, count))
    const isConstant = (step: number) => body[step].op === "constant"
    /** One tile of `width` columns. */
    const walk = (width: number): Code => {
      const copies = [...accumulators.keys()].filter((copy) => 4 * copy < width)
      const count = (copy: number) => Math.min(4, width - 4 * copy)
      return [
        copies.map((copy) => set(accumulators[copy], identity(kind, dtype))),
        forRange(row, get(row), get(lastRow), 1, [
          enterRow,
          compute((step) => perRow[step] && !isConstant(step)),
          copies.map((copy) => [
            compute((step) => !perRow[step], copy, count(copy)),
            set(accumulators[copy], combine(kind, dtype, get(accumulators[copy]), steps.value(result, copy))),
          ]),
        ]),
        copies.map((copy) => {
          const stride = target[outer.length + 1]
          return storeLanes(get(store), stride, count(copy), 4 * copy * stride, get(accumulators[copy]))
        }),
      ]
    }
    const lastWidth = columns - 4 * vectors * (tiles - 1)
    const limit = i32.add(get(row), i32.const(pieceRows))
    return [
      compute(isConstant),
      forRange(unit, get(begin), get(end), 1, [
        set(tile, i32.remU(get(unit), i32.const(tiles))),
        set(rest, i32.divU(get(unit), i32.const(tiles))),
        set(piece, i32.remU(get(rest), i32.const(pieces))),
        set(rest, i32.divU(get(rest), i32.const(pieces))),
        coordinates(rest, outer, outerIndex),
        set(store, moved(get(to), [...outerIndex, piece], target)),
        set(store, i32.add(get(store), i32.mul(get(tile), i32.const(16 * vectors * target[outer.length + 1])))),
        strides.map((by, v) => {
          const bytes = stepOf(encodings[v])
          const base = moved(get(bases[v]), outerIndex, by, bytes)
          const column = i32.mul(get(tile), i32.const(4 * bytes * vectors * by[last]))
          return set(outerPointers[v], by[last] === 0 ? base : i32.add(base, column))
        }),
        set(row, i32.mul(get(piece), i32.const(pieceRows))),
        set(lastRow, minU32(limit, i32.const(rows))),
        lastWidth === 4 * vectors
          ? walk(lastWidth)
          : when(i32.eq(get(tile), i32.const(tiles - 1)), walk(lastWidth), walk(4 * vectors)),
      ]),
    ]
  })
}

const stage = (shape: Shape, to: Code, addresses: readonly Code[], context: KernelContext): Stage => {
  const func = context.module.once(
    `columns ${keyWith(shape.body, { ...shape, body: undefined })}`,
    () => columnFunction(shape, context),
  )
  const tiles = Math.ceil(shape.columns / (4 * tileVectors(shape)))
  const rows = sizeOf(shape.reduced)
  const items = sizeOf(shape.outer) * Math.max(1, Math.ceil(rows / shape.pieceRows)) * tiles
  return groupedStage(
    items,
    itemsPerUnit(items, workOf(shape) / items),
    (begin, end) => callFunction(func, begin, end, to, ...addresses),
  )
}

const workOf = ({ body, outer, reduced, columns }: Shape): number =>
  Math.max(1, sizeOf(outer) * sizeOf(reduced) * columns) *
  body.reduce((sum, step) => sum + (isExpensive(step) ? 8 : 1), 0)

/** Writes a `columns` call. */
export const emitColumns: KernelEmitter<ColumnsCall> = (call, context): readonly Stage[] => {
  const { space, outerAxes, body, result, kind, inputs, output } = call
  const width = space.at(-1)!
  if (sizeOf(output.shape) === 0) return []

  const { outer, reduced, strides, target, axes } = mergeColumns(call, output.strides)
  const rows = sizeOf(reduced)
  const whole: Shape = {
    body,
    result,
    kind,
    outer,
    reduced,
    columns: width,
    pieceRows: Math.max(1, rows),
    strides,
    encodings: inputs.map(({ buffer }) => context.encoding(buffer)),
    axes,
    target: [...target, 0, output.strides[outerAxes]],
  }
  const at = (view: View) => firstElement(context, view)
  const groups = sizeOf(outer) * Math.ceil(width / 32)
  const pieceRows = Math.max(PIECE_ROWS, Math.ceil(rows / PIECES))
  if (groups >= PIECES / 2 || rows < 2 * PIECE_ROWS || workOf(whole) < WORTH_CUTTING) {
    return [stage(whole, at(output), inputs.map(at), context)]
  }
  const pieces = Math.ceil(rows / pieceRows)
  const padded = 4 * Math.ceil(width / 4)
  const outerRows = outer.map((_, axis) => padded * pieces * sizeOf(outer.slice(axis + 1)))
  const scratch = context.sharedScratch(4 * padded * pieces * sizeOf(outer))
  return [
    stage({ ...whole, pieceRows, target: [...outerRows, padded, 1] }, scratch, inputs.map(at), context),
    stage(
      {
        ...whole,
        body: [{ op: "load", operand: 0, dtype: body[result].dtype satisfies DType }],
        result: 0,
        reduced: [pieces],
        pieceRows: pieces,
        strides: [[...outerRows, padded, 1]],
        encodings: [F32],
        axes: [],
      },
      at(output),
      [scratch],
      context,
    ),
  ]
}
