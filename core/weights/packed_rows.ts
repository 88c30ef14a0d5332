/**
 * Tensors as files hold them: rows of an encoding.
 * @module
 */
import { bytesFor, type Encoding } from "../../kernels/encoding.ts"
import { type PieceMemory, pieceMemory } from "../formats/files/piece_memory.ts"
import { type Shape, sizeOf } from "../tensor/shape.ts"

/** Numbers of a tensor in an encoding. A row, which is whole blocks, lies along the last axis. */
export interface PackedRows {
  /** How a row's bytes are numbers. */
  readonly encoding: Encoding
  /** Bytes of `count` rows from row `first` on: in memory of their own, or in `memory` if it is given and of use. */
  readonly read: (first: number, count: number, memory?: PieceMemory) => Promise<Uint8Array<ArrayBuffer>>
}

/** Rows that are read at a time. */
export interface RowsPiece {
  /** Number of the first of their elements in the tensor. */
  readonly offset: number
  /** Number of elements. */
  readonly elements: number
  /** Their bytes, which later ones overwrite: to be used before the next piece is asked for. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Bytes of a piece, unless a row has more. */
const PIECE = 2 ** 20

/** All rows of a tensor in pieces, in order; the next piece is read while one is taken. */
export async function* piecesOfRows({ encoding, read }: PackedRows, shape: Shape): AsyncGenerator<RowsPiece> {
  const width = shape.at(-1) ?? 1
  const total = width === 0 ? 0 : sizeOf(shape) / width
  const most = Math.max(1, Math.floor(PIECE / bytesFor(encoding, width)))
  // Garbage of many pieces would stay uncollected for long.
  const lanes = [pieceMemory(), pieceMemory()]
  const begin = (first: number) => {
    const count = Math.min(most, total - first)
    const bytes = read(first, count, lanes[first / most % 2])
    // Its error is thrown where it is waited for.
    bytes.catch(() => {})
    return { offset: first * width, elements: count * width, bytes }
  }
  let next = total === 0 ? undefined : begin(0)
  for (let first = most; next !== undefined; first += most) {
    const piece = { ...next, bytes: await next.bytes }
    next = first < total ? begin(first) : undefined
    yield piece
  }
}

/** All numbers of a packed tensor. */
export async function decodeRows(packed: PackedRows, shape: Shape): Promise<Float32Array> {
  const data = new Float32Array(sizeOf(shape))
  for await (const { offset, elements, bytes } of piecesOfRows(packed, shape)) {
    packed.encoding.decode.reference(bytes, data.subarray(offset, offset + elements))
  }
  return data
}

/** Rows from row `start` on. */
export function rowsFrom({ encoding, read }: PackedRows, start: number): PackedRows {
  return { encoding, read: (first, count, memory) => read(start + first, count, memory) }
}

/**
 * Rows in another order. What lies between the first and the last that are wanted is read at once.
 *
 * @param width Elements of a row.
 * @param order By new place, the place before.
 */
export function rowsInOrder({ encoding, read }: PackedRows, width: number, order: ReadonlyArray<number>): PackedRows {
  const bytes = bytesFor(encoding, width)
  return {
    encoding,
    read: async (first, count, memory) => {
      const rows = order.slice(first, first + count)
      const start = rows.reduce((least, row) => Math.min(least, row), Infinity)
      const end = rows.reduce((most, row) => Math.max(most, row + 1), 0)
      const data = await read(start, end - start)
      const length = rows.length * bytes
      const out = memory === undefined ? new Uint8Array(length) : new Uint8Array(memory(length), 0, length)
      rows.forEach((row, to) => out.set(data.subarray((row - start) * bytes, (row - start + 1) * bytes), to * bytes))
      return out
    },
  }
}
