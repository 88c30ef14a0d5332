/**
 * One of the engine's memories: bytes that are handed out, in pages that are added as needed.
 * @module
 */
import type { Access } from "./access.ts"
import { type Block, makeAllocator } from "./allocator.ts"
import { MAXIMUM_PAGES } from "./lower.ts"
import { ALIGNMENT } from "./program_memory.ts"

const PAGE = 65536
/** Most bytes of a memory. Below 4 GiB: the address behind a block must be more than the block's. */
export const LIMIT = MAXIMUM_PAGES * PAGE - ALIGNMENT

/** A memory. */
export interface Memory {
  readonly access: Access
  /** Allocates bytes and grows the memory if needed. Undefined where it is full. */
  readonly reserve: (bytes: number, what: string) => Block | undefined
  readonly free: (block: Block) => void
  /** Bytes that can still be handed out, if not in one piece. */
  readonly room: () => number
  /** Its size, the most that it can have as far as known, and why it cannot have more. */
  readonly size: () => { readonly bytes: number; readonly limit: number; readonly cause?: unknown }
}

/**
 * All memory between two bytes.
 *
 * @param first First byte that may be handed out, a multiple of the alignment.
 * @param limit The end of those bytes, at most {@link LIMIT}.
 */
export const makeMemory = (first: number, access: Access, limit: number = LIMIT): Memory => {
  const allocator = makeAllocator(first, limit, ALIGNMENT)
  let pages = 1, used = first
  let refused: { readonly limit: number; readonly cause: unknown } | undefined
  return {
    access,
    reserve: (bytes, what) => {
      const block = allocator.allocate(bytes)
      if (block === undefined) return undefined
      const missing = Math.max(0, Math.ceil(allocator.top() / PAGE) - pages)
      try {
        if (missing > 0) access.grow(missing, `growing the memory for ${what}`)
      } catch (cause) {
        allocator.free(block)
        refused = { limit: pages * PAGE, cause }
        return undefined
      }
      pages += missing
      used += block.bytes
      return block
    },
    free: (block) => {
      used -= block.bytes
      allocator.free(block)
    },
    room: () => (refused?.limit ?? limit) - used,
    size: () => ({ bytes: pages * PAGE, limit, ...refused }),
  }
}
