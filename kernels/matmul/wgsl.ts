/**
 * Matrix product in WGSL: which form of shader a product gets, by its sizes and the device alone.
 *
 * Where there are few tiles and long sums, k is cut into parts, whose sums a second stage adds in order. So every
 * result is the same from run to run on one kind of device.
 * @module
 */
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"
import { emitColumns } from "../columns/wgsl.ts"
import type { MatmulCall } from "../contract.ts"
import type { DeviceTraits, Dispatch, KernelContext, KernelEmitter } from "../wgsl/kernel.ts"
import { type BroadcastForm, broadcastProduct, LANE_COLUMNS } from "./_wgsl_broadcast.ts"
import { exchanged, type Task } from "./_wgsl_task.ts"
import { type TileForm, tileProduct } from "./_wgsl_tile.ts"
import { type BatchAxis, collapse } from "./product.ts"

/** How a product is done. */
export interface ProductForm {
  /** Whether rows and columns change places. */
  readonly exchange: boolean
  /** Into how many parts k is cut. */
  readonly parts: number
  /** Terms of one part, a multiple of 16; the last part may have fewer. */
  readonly chunk: number
  /** Which shader, of which shape. */
  readonly shader: ({ readonly kind: "broadcast" } & BroadcastForm) | ({ readonly kind: "tile" } & TileForm)
}

/** Parts: at least so many terms, at most so many. */
const PART_TERMS = 256, PARTS = 64
/** Heights of the tiles of a CPU in disguise. */
const HEIGHTS = [1, 4, 8, 16]
/** What reading b costs it, in rows of sums. */
const READING = 24
/** Workgroups with which a GPU is occupied. */
const GROUPS = 96

const ONE: BatchAxis = { extent: 1, a: 0, b: 0, output: 0, beside: [] }

const LARGE: TileForm = { rows: 128, columns: 128, fours: 2, depth: 8 }
const MEDIUM: TileForm = { rows: 64, columns: 64, fours: 1, depth: 16 }
const SMALL: TileForm = { rows: 32, columns: 32, fours: 1, depth: 16 }
const FLAT: TileForm = { rows: 16, columns: 256, fours: 1, depth: 8 }
const UPRIGHT: TileForm = { rows: 256, columns: 16, fours: 1, depth: 8 }

/** Chooses the form of `entries` products of the sizes m, n, k. */
export const productForm = (
  { m, n, k, entries }: { readonly m: number; readonly n: number; readonly k: number; readonly entries: number },
  { software, subgroups }: Pick<DeviceTraits, "software" | "subgroups">,
): ProductForm => {
  const cut = (tiles: number, enough: number): Pick<ProductForm, "parts" | "chunk"> => {
    const wanted = Math.max(1, Math.min(PARTS, Math.ceil(enough / tiles), Math.floor(k / PART_TERMS)))
    const chunk = Math.max(16, Math.ceil(k / wanted / 16) * 16)
    return { chunk, parts: Math.max(1, Math.ceil(k / chunk)) }
  }
  if (software) {
    const size = subgroups?.smallest === subgroups?.largest ? subgroups?.largest : undefined
    const known = size === 4 || size === 8
    const lanes = known ? size : 8
    const way = (rows: number, columns: number) => {
      const height = HEIGHTS.find((height) => height >= rows) ?? HEIGHTS[HEIGHTS.length - 1]
      const tiles = Math.ceil(rows / height) * Math.ceil(columns / (lanes * LANE_COLUMNS)) * entries
      return { height, tiles, cost: tiles * (height + READING) }
    }
    const plain = way(m, n), turned = way(n, m)
    const exchange = turned.cost < plain.cost
    const { height, tiles } = exchange ? turned : plain
    return { exchange, ...cut(tiles, 4), shader: { kind: "broadcast", lanes, subgroups: known, rows: height } }
  }
  const tilesOf = ({ rows, columns }: TileForm) => Math.ceil(m / rows) * Math.ceil(n / columns) * entries
  const form = m <= 16
    ? FLAT
    : n <= 16
    ? UPRIGHT
    : [LARGE, MEDIUM].find((form) => tilesOf(form) >= GROUPS) ?? (m > 32 && n > 32 && k > 1024 ? MEDIUM : SMALL)
  return { exchange: false, ...cut(tilesOf(form), GROUPS), shader: { kind: "tile", ...form } }
}

/** Writes a product in the form that suits it. */
export const emitMatmul: KernelEmitter<MatmulCall> = (call, context) => {
  const product = collapse(call)
  const entries = product.batch.reduce((count, { extent }) => count * extent, 1)
  return writeProduct(call, productForm({ ...product, entries }, context.device), context)
}

/** Writes a product in one form; every form does every product. */
export const writeProduct = (
  call: MatmulCall,
  { exchange, parts, chunk, shader }: ProductForm,
  context: KernelContext,
): ReadonlyArray<Dispatch> => {
  if (sizeOf(call.output.shape) === 0) return []
  const product = collapse(call)
  const { m, n } = product
  // At least two batch axes, mostly of one entry: how many there are is part of the code.
  const batch = [...Array<BatchAxis>(Math.max(0, 2 - product.batch.length)).fill(ONE), ...product.batch]
  // Parts go one after the other into a workspace of [parts, ...batch, m, n].
  const shape = [parts, ...batch.map(({ extent }) => extent), m, n], packed = stridesOf(shape)
  const workspace = parts > 1 ? context.scratch(sizeOf(shape)) : undefined
  const task: Task = {
    ...product,
    chunk,
    parts,
    partStep: workspace === undefined ? 0 : packed[0],
    output: { m: workspace === undefined ? product.output.m : n, n: 1 },
    batch: workspace === undefined ? batch : batch.map((axis, i) => ({ ...axis, output: packed[i + 1] })),
    first: { a: call.a.offset, b: call.b.offset, output: workspace === undefined ? call.output.offset : 0 },
    buffers: { a: call.a.buffer, b: call.b.buffer, output: workspace ?? call.output.buffer },
  }
  const turned = exchange ? exchanged(task) : task
  const dispatch = shader.kind === "broadcast"
    ? broadcastProduct(turned, shader, context)
    : tileProduct(turned, shader, context)
  if (workspace === undefined) return [dispatch]
  const outer = [...batch.map(({ extent }) => extent), m]
  const space = [...outer, parts, n]
  const sum = emitColumns({
    kernel: "columns",
    space,
    outerAxes: outer.length,
    kind: "sum",
    body: [{ op: "load", operand: 0, dtype: "f32" }],
    result: 0,
    inputs: [{ buffer: workspace, offset: 0, shape: space, strides: [...packed.slice(1, -1), packed[0], 1] }],
    output: {
      buffer: call.output.buffer,
      offset: call.output.offset,
      shape: [...outer, n],
      strides: [...batch.map(({ output }) => output), product.output.m, 1],
    },
  }, context)
  return [dispatch, ...sum]
}
