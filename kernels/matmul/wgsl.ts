/**
 * Matrix product in WGSL: which form of shader a product gets, by its sizes and the device alone.
 *
 * Where there are few tiles and long sums, k is cut into parts, whose sums a second stage adds in order. So every
 * result is the same from run to run on one kind of device. The epilogue is part of the last stage.
 * @module
 */
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"
import type { DType, Instruction, View } from "../contract.ts"
import type { MatmulCall } from "./call.ts"
import type { RowsCall } from "../rows/call.ts"
import { emitRows } from "../rows/wgsl.ts"
import type { DeviceTraits, Dispatch, KernelContext, KernelEmitter } from "../wgsl/kernel.ts"
import { type BroadcastForm, broadcastProduct, LANE_COLUMNS } from "./wgsl/broadcast.ts"
import { exchanged, type Task } from "./wgsl/task.ts"
import { type TileForm, tileProduct } from "./wgsl/tile.ts"
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
const READING = 16
/** From how many terms of tiles on a CPU soon makes up for compiling a shader of its own. */
const LARGE_PRODUCT = 8192
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
    const fours = tiles * k >= LARGE_PRODUCT
    return { exchange, ...cut(tiles, 4), shader: { kind: "broadcast", lanes, subgroups: known, rows: height, fours } }
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
  const { epilogue: _, ...plain } = call
  const product = collapse(context.device.software ? plain : call)
  const entries = product.batch.reduce((count, { extent }) => count * extent, 1)
  return writeProduct(call, productForm({ ...product, entries }, context.device), context)
}

/** Writes a product in one form; every form does every product. */
export const writeProduct = (
  call: MatmulCall,
  { exchange, parts, chunk, shader }: ProductForm,
  context: KernelContext,
): ReadonlyArray<Dispatch> => {
  const { epilogue, ...plain } = call, { output } = plain
  if (sizeOf(output.shape) === 0) return []
  // On a CPU a dispatch costs less than to compile the long text once more for each epilogue.
  const whole = parts === 1 && !exchange && shader.kind === "tile" &&
    buffersOf(call) < context.device.storageBindings
  // Parts go one after the other into a workspace of [parts, ...batch, m, n].
  const shape = [parts, ...output.shape], packed = stridesOf(shape)
  const to = parts === 1
    ? output
    : { buffer: context.scratch(sizeOf(shape)), offset: 0, shape: output.shape, strides: packed.slice(1) }
  const cut = { chunk, parts, partStep: parts === 1 ? 0 : packed[0] }
  const task = taskOf(whole ? call : { ...plain, output: to }, cut)
  const turned = exchange ? exchanged(task) : task
  const dispatch = shader.kind === "broadcast"
    ? broadcastProduct(turned, shader, context)
    : tileProduct(turned, shader, context)
  if (whole || parts === 1 && epilogue === undefined) return [dispatch]
  const terms = Array.from({ length: parts }, (_, part) => ({ ...to, offset: to.offset + part * packed[0] }))
  return [dispatch, ...emitRows(rowsAfter(call, terms), context)]
}

/** How many buffers one shader would bind, beside that of its parameters. */
const buffersOf = ({ a, b, output, epilogue }: MatmulCall): number => {
  const views = [a, b, output, ...epilogue?.inputs ?? [], ...(epilogue?.also ?? []).map(({ view }) => view)]
  return new Set(views.map(({ buffer }) => buffer)).size
}

/** The product with the places of its operands and of what its epilogue needs. */
const taskOf = (call: MatmulCall, cut: Pick<Task, "chunk" | "parts" | "partStep">): Task => {
  const { a, b, output, epilogue } = call
  const { beside, ...product } = collapse(call)
  // At least two batch axes, mostly of one entry: how many there are is part of the code.
  const batch = [...Array<BatchAxis>(Math.max(0, 2 - product.batch.length)).fill(ONE), ...product.batch]
  const dtypes = new Map<number, DType>()
  for (const step of epilogue?.body ?? []) if (step.op === "load") dtypes.set(step.operand - 1, step.dtype)
  const views = epilogue && [
    ...epilogue.inputs.map((view, v) => ({ view, dtype: dtypes.get(v) ?? "f32" as const })),
    ...epilogue.also.map(({ step, view }) => ({ view, dtype: epilogue.body[step].dtype })),
  ]
  return {
    ...product,
    ...cut,
    output: { m: product.output.m, n: 1 },
    batch,
    first: { a: a.offset, b: b.offset, output: output.offset },
    buffers: { a: a.buffer, b: b.buffer, output: output.buffer },
    epilogue: epilogue && {
      body: epilogue.body,
      result: epilogue.result,
      also: epilogue.also.map(({ step }) => step),
      views: views!.map(({ view: { buffer, offset }, dtype }, v) => ({
        buffer,
        dtype,
        first: offset,
        ...beside[v],
        batch: batch.map((axis) => axis.beside[v] ?? 0),
      })),
      shape: output.shape,
    },
  }
}

/** The last stage where a product lies in memory, in parts or whole: their sum, in order, and the epilogue. */
const rowsAfter = ({ output, epilogue }: MatmulCall, parts: ReadonlyArray<View>): RowsCall => {
  const { inputs = [], result = 0, also = [] } = epilogue ?? {}
  const body: Array<Instruction> = parts.map((_, operand) => ({ op: "load", operand, dtype: "f32" }))
  let product = 0
  for (let part = 1; part < parts.length; part++) {
    product = body.push({ op: "add", args: [product, part], dtype: "f32" }) - 1
  }
  const places: Array<number> = []
  for (const step of epilogue?.body ?? [{ op: "load", operand: 0, dtype: "f32" } as const]) {
    if (step.op === "load" && step.operand === 0) {
      places.push(product)
      continue
    }
    const moved = step.op === "load"
      ? { ...step, operand: parts.length - 1 + step.operand }
      : "args" in step
      ? { ...step, args: step.args.map((one) => places[one]) } as Instruction
      : step
    places.push(body.push(moved) - 1)
  }
  return {
    kernel: "rows",
    space: output.shape,
    body,
    inputs: [...parts, ...inputs],
    outputs: [
      { step: places[result], view: output },
      ...also.map(({ step, view }) => ({ step: places[step], view })),
    ],
  }
}
