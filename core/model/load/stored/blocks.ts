/**
 * What files hold in blocks, and what was put into them.
 * @module
 */
import { inBlocks } from "../../../../kernels/encoding.ts"
import type { BlockFormat } from "../../../tensor/block_format.ts"
import type { StoredTensor } from "../../../weights/stored_tensor.ts"
import type { EncodedWeight } from "../../model.ts"

/** Encodings in blocks that files hold, by key. */
export function storedBlocks(tensors: ReadonlyMap<string, StoredTensor>): ReadonlyMap<string, BlockFormat> {
  return new Map(
    [...tensors].flatMap(([key, { packed }]) =>
      packed !== undefined && inBlocks(packed.encoding) ? [[key, packed.encoding] as const] : []
    ),
  )
}

/** What was put into blocks, in a line for each encoding. */
export function encodedNotes(all: ReadonlyArray<EncodedWeight>): ReadonlyArray<string> {
  return [...new Set(all.map(({ encoding }) => encoding))].map((name) => {
    const own = all.filter(({ encoding }) => encoding === name)
    const worst = own.reduce((most, one) => one.relativeError > most.relativeError ? one : most)
    const elements = own.reduce((sum, one) => sum + one.elements, 0)
    const millions = (elements / 1e6).toPrecision(3)
    return `${own.length} weights (${millions} million numbers) are kept in ${name}, ${own[0].bits} bits each; ` +
      `relative error at most ${worst.relativeError.toPrecision(3)}, of ${worst.key}`
  })
}
