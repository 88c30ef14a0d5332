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

/** Offsets of blocks whose numbers are `scale * q + offset`, one a block. */
export interface AffineBlocks {
  /** The offsets of whole blocks. */
  readonly offsets: (bytes: Uint8Array) => Float32Array<ArrayBuffer>
  /** Adds to the offsets of whole blocks, rounded as the encoding keeps them; scales and codes stay. */
  readonly addOffsets: (bytes: Uint8Array, deltas: Float32Array) => void
}
