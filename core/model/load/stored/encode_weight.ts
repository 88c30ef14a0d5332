import type { BlockEncoding } from "../../../../kernels/encoding.ts"
import { bytesFor } from "../../../../kernels/encoding.ts"
import { type PieceMemory, pieceMemory } from "../../../formats/files/piece_memory.ts"
import { type Shape, sizeOf } from "../../../tensor/shape.ts"
import type { EncodedWeight } from "../../model.ts"

/** A weight on its way into blocks. */
export interface WeightEncoder {
  /** Encodes elements from number `offset` on: whole blocks. */
  readonly put: (data: Float32Array, offset: number) => void
  /** Ends the encoding, once all elements were put. Gives true where all must be compared again for the error. */
  readonly settle: () => boolean
  /** Counts what elements from number `offset` on, in f32 as they were put, have lost. */
  readonly compare: (data: Float32Array, offset: number) => void
  /** The blocks. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** What was lost. */
  readonly lost: () => EncodedWeight
}

/** Memory that one weight after another uses: many arrays of their own would stay uncollected for long. */
export interface EncoderMemory {
  /** Of the blocks. */
  readonly blocks: PieceMemory
  /** Of a piece as it is read. */
  readonly piece: PieceMemory
  /** Of a piece as its blocks give it. */
  readonly decoded: PieceMemory
}

/** Memory for {@link encodeWeight}. */
export function encoderMemory(): EncoderMemory {
  return { blocks: pieceMemory(), piece: pieceMemory(), decoded: pieceMemory() }
}

/** Encodes a weight piece by piece and counts what that loses. Holds the blocks, and no numbers. */
export function encodeWeight(
  key: string,
  shape: Shape,
  encoding: BlockEncoding,
  memory: EncoderMemory,
): WeightEncoder {
  const size = sizeOf(shape)
  const length = bytesFor(encoding, size)
  const bytes = new Uint8Array(memory.blocks(length), 0, length)
  const settles = encoding.settle !== undefined
  let [squares, errorSquares, errors] = [0, 0, 0]
  const blocks = (offset: number, length: number) =>
    bytes.subarray(bytesFor(encoding, offset), bytesFor(encoding, offset + length))
  const compare = (data: Float32Array, offset: number): void => {
    const back = new Float32Array(memory.decoded(4 * data.length), 0, data.length)
    encoding.decode.reference(blocks(offset, data.length), back)
    for (let i = 0; i < data.length; i++) {
      const error = back[i] - data[i]
      squares += data[i] * data[i]
      errorSquares += error * error
      errors += Math.abs(error)
    }
  }
  return {
    put: (data, offset) => {
      encoding.encode!(data, blocks(offset, data.length))
      if (!settles) compare(data, offset)
    },
    settle: () => {
      encoding.settle?.(bytes)
      return settles
    },
    compare,
    bytes,
    lost: () => ({
      key,
      encoding: encoding.name,
      elements: size,
      bits: 8 * encoding.blockBytes / encoding.block,
      relativeError: errorSquares === 0 ? 0 : Math.sqrt(errorSquares / squares),
      meanAbsoluteError: errors / size,
    }),
  }
}
