/**
 * Changes that all elements of a group share: in the offsets of blocks, or in whole weights.
 * @module
 */
import { type BlockEncoding, type Encoding, inBlocks } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import type { BackendService, Slot } from "../../backend/backend.ts"
import * as ops from "../../tensor/ops.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/** What offsets became, of one weight or of several. */
export interface Rounding {
  /** Names of the encodings. */
  readonly encodings: ReadonlyArray<string>
  /** Number of weights. */
  readonly weights: number
  /** Largest distance of an offset from what it should be. */
  readonly worst: number
  /** Largest change. */
  readonly largest: number
}

/** Elements in memory at a time. */
const PIECE = 1 << 22

/** One number a group, [rows, groups], for each of `parts` in the groups: [rows, parts]. */
export function repeated(deltas: Tensor, parts: number): Tensor {
  const [rows, groups] = deltas.shape
  if (parts === groups) return deltas
  const each = ops.reshape(deltas, [rows, groups, 1])
  return ops.reshape(ops.expand(each, [rows, groups, parts / groups]), [rows, parts])
}

/** Whether groups of so many elements can change in the offsets of an encoding's blocks. */
export function hasOffsets(encoding: Encoding, group: number): boolean {
  return inBlocks(encoding) && encoding.affine !== undefined && group % encoding.block === 0
}

/**
 * Copies a weight with other offsets; all else keeps its bits.
 *
 * @param deltas What is added to the offset of each block, row-major.
 */
export async function copyWithOffsets(
  backend: BackendService,
  from: Slot,
  to: Slot,
  deltas: Float32Array,
): Promise<Rounding> {
  const { name, block, affine } = encodingOf(from.storage) as BlockEncoding
  const size = sizeOf(from.shape), piece = Math.max(1, Math.floor(PIECE / block)) * block
  let worst = 0, largest = 0
  for (let first = 0; first < size; first += piece) {
    const bytes = await backend.readEncoded(from, first, Math.min(piece, size - first))
    const own = deltas.subarray(first / block, first / block + bytes.length / encodingOf(from.storage).blockBytes)
    const before = affine!.offsets(bytes)
    affine!.addOffsets(bytes, own)
    affine!.offsets(bytes).forEach((offset, i) => {
      // Not Math.max: it must not pass over what is no number.
      const off = Math.abs(offset - (before[i] + own[i]))
      if (!(off <= worst)) worst = off
      largest = Math.max(largest, Math.abs(own[i]))
    })
    await backend.write(to, bytes, first)
  }
  return { encodings: [name], weights: 1, worst, largest }
}

/** Of several weights together. */
export function together(a: Rounding, b: Rounding): Rounding {
  return {
    encodings: [...new Set([...a.encodings, ...b.encodings])],
    weights: a.weights + b.weights,
    worst: Math.max(a.worst, b.worst),
    largest: Math.max(a.largest, b.largest),
  }
}
