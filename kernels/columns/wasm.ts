/**
 * WebAssembly of `columns`: one fused function a call. A tile of columns is kept in registers while the reduced rows
 * are walked in order. Where there are few tiles and many rows, the rows are cut into pieces (by the shape alone) whose
 * partial results a second stage combines in order.
 * @module
 */
import { bytesOf } from "../../core/tensor/dtype.ts"
import { sizeOf } from "../../core/tensor/shape.ts"
import type { DType, Instruction, ReduceKind, Storage } from "../contract.ts"
import type { ColumnsCall } from "./call.ts"
import {
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  i32x4,
  select,
  set,
  v128,
  when,
} from "../wasm/assembler.ts"
import { combine, elementwise, identity, isExpensive, valueOf } from "../wasm/body.ts"
import { neededSteps, perRowSteps } from "../analysis.ts"
import { collapse, keyWith } from "../collapse.ts"
import { groupedStage, itemsPerUnit, type KernelContext, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { loadStored, storeLanes } from "../wasm/lanes.ts"

/** Work (simple steps on one element) from which on few tiles are cut into pieces. */
const WORTH_CUTTING = 131072
/** Fewest rows of a piece, and most pieces. */
const PIECE_ROWS = 32, PIECES = 16

/** What the function is written from, and its key. */
interface Shape {
  readonly body: readonly Instruction[]
  readonly result: number
  readonly kind: ReduceKind
  readonly outer: readonly number[]
  readonly reduced: readonly number[]
  readonly columns: number
  /** Rows of one piece. */
  readonly pieceRows: number
  /** Strides of each input along [...outer, ...reduced, columns]. */
  readonly strides: readonly (readonly number[])[]
  /** What the memory of each input holds. */
  readonly storages: readonly Storage[]
  /** For `index` steps: the merged axis; -1 for an extent of 1. */
  readonly axes: readonly number[]
  /** Strides of the output along [...outer, pieces, columns]. */
  readonly target: readonly number[]
}

/** Steps that the result needs, and which of them are the same for a whole row. */
const analyse = ({ body, result, strides, axes, outer, reduced }: Shape) => ({
  perRow: perRowSteps(body, strides, axes, outer.length + reduced.length),
  steps: neededSteps(body, [result]),
})

/** Vectors in a tile. */
const tileVectors = ({ body, columns }: Shape) => Math.min(body.length <= 4 ? 8 : 4, Math.ceil(columns / 4))

const write = (shape: Shape, { module, target: machine }: KernelContext): number => {
  const { body, result, kind, outer, reduced, columns, pieceRows, strides, storages, axes, target } = shape
  const { perRow, steps } = analyse(shape)
  const last = outer.length + reduced.length
  const rows = sizeOf(reduced)
  const pieces = Math.max(1, Math.ceil(rows / pieceRows))
  const vectors = tileVectors(shape)
  const tiles = Math.ceil(columns / (4 * vectors))
  const dtype = body[result].dtype
  const parameters = new Array(3 + strides.length).fill("i32" as const)
  return module.func("columns", parameters, [], (f, begin, end, to, ...bases) => {
    const [unit, tile, piece, rest, row, lastRow, store] = Array.from({ length: 7 }, () => f.local("i32"))
    const outerIndex = outer.map(() => f.local("i32")), reducedIndex = reduced.map(() => f.local("i32"))
    const outerPointers = strides.map(() => f.local("i32")), pointers = strides.map(() => f.local("i32"))
    const accumulators = Array.from({ length: vectors }, () => f.local("v128"))
    const locals = Array.from({ length: vectors }, () => new Array<number>(body.length).fill(-1))
    for (const number of steps) {
      const shared = perRow[number] ? f.local("v128") : -1
      locals.forEach((copy) => copy[number] = perRow[number] ? shared : f.local("v128"))
    }
    /** Splits `from` into coordinates, the last axis fastest. `from` is used up. */
    const coordinates = (from: number, extents: readonly number[], into: readonly number[]): Code =>
      extents.map((_, i) => extents.length - 1 - i).map((axis) =>
        axis === 0 ? set(into[0], get(from)) : [
          set(into[axis], i32.remU(get(from), i32.const(extents[axis]))),
          set(from, i32.divU(get(from), i32.const(extents[axis]))),
        ]
      )
    const shifted = (base: Code, indices: readonly number[], by: readonly number[], bytes = 4): Code =>
      indices.reduce(
        (address, index, axis) =>
          by[axis] === 0 ? address : i32.add(address, i32.mul(get(index), i32.const(bytes * by[axis]))),
        base,
      )
    const evaluate = (number: number, copy: number, count: number): Code => {
      const step = body[number]
      switch (step.op) {
        case "load": {
          const { operand } = step, stride = strides[operand][last]
          const load = (by: number, lanes: number, offset: number) =>
            loadStored(module, storages[operand], get(pointers[operand]), by, lanes, offset)
          return perRow[number] ? load(0, 4, 0) : load(stride, count, 4 * copy * stride)
        }
        case "constant":
          return step.dtype === "i32" ? i32x4.const(step.value) : f32x4.const(step.value)
        case "index": {
          const axis = axes[step.axis]
          if (axis < 0) return i32x4.const(0)
          if (axis < last) {
            return i32x4.splat(get(axis < outer.length ? outerIndex[axis] : reducedIndex[axis - outer.length]))
          }
          const first = 4 * copy
          return i32x4.add(
            i32x4.splat(i32.mul(get(tile), i32.const(4 * vectors))),
            v128.const(first, first + 1, first + 2, first + 3),
          )
        }
        default:
          return elementwise(module, machine, f, body, number, locals[copy])
      }
    }
    /** One tile of `width` columns. */
    const walk = (width: number): Code => {
      const copies = Array.from({ length: Math.ceil(width / 4) }, (_, copy) => copy)
      const count = (copy: number) => Math.min(4, width - 4 * copy)
      return [
        copies.map((copy) => set(accumulators[copy], identity(kind, dtype))),
        forRange(row, get(row), get(lastRow), 1, [
          reduced.length > 1 ? set(rest, get(row)) : [],
          coordinates(reduced.length > 1 ? rest : row, reduced, reducedIndex),
          strides.map((view, v) =>
            set(
              pointers[v],
              shifted(get(outerPointers[v]), reducedIndex, view.slice(outer.length, last), bytesOf(storages[v])),
            )
          ),
          steps.filter((number) => perRow[number] && body[number].op !== "constant")
            .map((number) => set(locals[0][number], evaluate(number, 0, 4))),
          copies.map((copy) => [
            steps.filter((number) => !perRow[number])
              .map((number) => set(locals[copy][number], evaluate(number, copy, count(copy)))),
            set(
              accumulators[copy],
              combine(kind, dtype, get(accumulators[copy]), valueOf(body[result], locals[copy][result])),
            ),
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
      steps.filter((number) => body[number].op === "constant")
        .map((number) => set(locals[0][number], evaluate(number, 0, 4))),
      forRange(unit, get(begin), get(end), 1, [
        set(tile, i32.remU(get(unit), i32.const(tiles))),
        set(rest, i32.divU(get(unit), i32.const(tiles))),
        set(piece, i32.remU(get(rest), i32.const(pieces))),
        set(rest, i32.divU(get(rest), i32.const(pieces))),
        coordinates(rest, outer, outerIndex),
        set(store, shifted(get(to), [...outerIndex, piece], target)),
        set(store, i32.add(get(store), i32.mul(get(tile), i32.const(16 * vectors * target[outer.length + 1])))),
        strides.map((view, v) => {
          const bytes = bytesOf(storages[v])
          const base = shifted(get(bases[v]), outerIndex, view, bytes)
          const column = view[last] === 0
            ? base
            : i32.add(base, i32.mul(get(tile), i32.const(4 * bytes * vectors * view[last])))
          return set(outerPointers[v], column)
        }),
        set(row, i32.mul(get(piece), i32.const(pieceRows))),
        set(lastRow, select(limit, i32.const(rows), i32.ltU(limit, i32.const(rows)))),
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
    () => write(shape, context),
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
  const last = space.length - 1
  const width = space[last]
  if (sizeOf(output.shape) === 0) return []

  const indexed = new Set(body.flatMap((step) => step.op === "index" ? [step.axis] : []))
  const part = (from: number, to: number, views: readonly (readonly number[])[]) =>
    collapse(
      space.slice(from, to),
      views.map((view) => view.slice(from, to)),
      new Set([...indexed].filter((axis) => axis >= from && axis < to).map((axis) => axis - from)),
    )
  const inputStrides = inputs.map((view) => view.strides)
  const outer = part(0, outerAxes, [...inputStrides, output.strides])
  const reduced = part(outerAxes, last, inputStrides)
  const axes = space.map((_, axis) =>
    axis === last
      ? outer.space.length + reduced.space.length
      : axis < outerAxes
      ? outer.axes[axis]
      : reduced.axes[axis - outerAxes] < 0
      ? -1
      : outer.space.length + reduced.axes[axis - outerAxes]
  )
  const rows = sizeOf(reduced.space)
  const whole: Shape = {
    body,
    result,
    kind,
    outer: outer.space,
    reduced: reduced.space,
    columns: width,
    pieceRows: Math.max(1, rows),
    strides: inputs.map((view, v) => [...outer.strides[v], ...reduced.strides[v], view.strides[last]]),
    storages: inputs.map(({ buffer }) => context.storage(buffer)),
    axes,
    target: [...outer.strides[inputs.length], 0, output.strides[outerAxes]],
  }
  const at = (view: { readonly buffer: number; readonly offset: number }) =>
    i32.add(context.address(view.buffer), i32.const(bytesOf(context.storage(view.buffer)) * view.offset))
  const groups = sizeOf(outer.space) * Math.ceil(width / 32)
  const pieceRows = Math.max(PIECE_ROWS, Math.ceil(rows / PIECES))
  if (groups >= PIECES / 2 || rows < 2 * PIECE_ROWS || workOf(whole) < WORTH_CUTTING) {
    return [stage(whole, at(output), inputs.map(at), context)]
  }
  const pieces = Math.ceil(rows / pieceRows)
  const padded = 4 * Math.ceil(width / 4)
  const outerRows = outer.space.map((_, axis) => padded * pieces * sizeOf(outer.space.slice(axis + 1)))
  const scratch = context.sharedScratch(4 * padded * pieces * sizeOf(outer.space))
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
        storages: ["f32"],
        axes: [],
      },
      at(output),
      [scratch],
      context,
    ),
  ]
}
