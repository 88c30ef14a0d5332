/**
 * Allocates bytes of the memory: a best-fit list of free blocks below a high-water mark.
 * @module
 */

/** An allocated block. */
export interface Block {
  /** First byte. */
  readonly address: number
  /** Bytes, rounded up to the alignment. */
  readonly bytes: number
  /** Whether the bytes were used before and may not be zero. */
  readonly reused: boolean
}

/** Allocates and frees bytes. */
export interface Allocator {
  /** Undefined if nothing fits below the limit. */
  readonly allocate: (bytes: number) => Block | undefined
  readonly free: (block: Block) => void
  /** First address that is not allocated. */
  readonly top: () => number
}

/**
 * Makes an allocator of the bytes from `start` up to `limit`.
 *
 * @param alignment Addresses and sizes are multiples of it; `start` must be one.
 */
export const makeAllocator = (start: number, limit: number, alignment: number): Allocator => {
  /** Free blocks below `top` by address, with adjacent blocks merged. */
  const holes: Array<{ address: number; bytes: number }> = []
  let top = start
  /** High-water mark: bytes above are still zero. */
  let touched = start
  const allocate = (wanted: number): Block | undefined => {
    const bytes = Math.max(alignment, Math.ceil(wanted / alignment) * alignment)
    let best = -1
    for (let i = 0; i < holes.length; i++) {
      if (holes[i].bytes >= bytes && (best < 0 || holes[i].bytes < holes[best].bytes)) best = i
    }
    if (best >= 0) {
      const hole = holes[best]
      const address = hole.address
      hole.address += bytes
      hole.bytes -= bytes
      if (hole.bytes === 0) holes.splice(best, 1)
      return { address, bytes, reused: true }
    }
    if (top + bytes > limit) return undefined
    const address = top
    top += bytes
    const reused = address < touched
    touched = Math.max(touched, top)
    return { address, bytes, reused }
  }
  const free = ({ address, bytes }: Block): void => {
    let i = holes.findIndex((hole) => hole.address > address)
    if (i < 0) i = holes.length
    holes.splice(i, 0, { address, bytes })
    if (i + 1 < holes.length && address + bytes === holes[i + 1].address) {
      holes[i].bytes += holes[i + 1].bytes
      holes.splice(i + 1, 1)
    }
    if (i > 0 && holes[i - 1].address + holes[i - 1].bytes === address) {
      holes[i - 1].bytes += holes[i].bytes
      holes.splice(i, 1)
    }
    const last = holes.at(-1)
    if (last !== undefined && last.address + last.bytes === top) {
      top = last.address
      holes.pop()
    }
  }
  return { allocate, free, top: () => top }
}
