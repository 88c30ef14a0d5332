/** What is known of an encoding in blocks without the code that decodes it. */
export interface BlockFormat {
  /** Its name; no two encodings of a program share one. */
  readonly name: string
  /** Elements of a block, along the last axis: a multiple of 8. */
  readonly block: number
  /** Bytes of a block. */
  readonly blockBytes: number
  /** Given where a number is scale * q + offset, with one scale and one offset a block. */
  readonly affine?: AffineBlocks
}

/** The offsets of blocks whose numbers are scale * q + offset. */
export interface AffineBlocks {
  /** The offset of each block. */
  readonly offsets: (bytes: Uint8Array) => Float32Array
  /** Adds to the offset of each block, rounded to what the block holds it in; the codes stay as they are. */
  readonly addOffsets: (bytes: Uint8Array, deltas: Float32Array) => void
}
