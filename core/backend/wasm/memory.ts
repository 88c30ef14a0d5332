/**
 * The engine's memory: slots, constants, and one arena for the temporaries of all programs.
 * @module
 */
import { BackendError, mebibytes } from "../backend_error.ts"
import { type Block, makeAllocator } from "./allocator.ts"
import type { Access } from "./access.ts"
import { MAXIMUM_PAGES } from "./lower.ts"
import { ALIGNMENT } from "./program_memory.ts"

const PAGE = 65536
// Below 4 GiB: the address behind a block must be more than the block's.
const LIMIT = MAXIMUM_PAGES * PAGE - ALIGNMENT

/** The memory. */
export interface EngineMemory {
  /** Allocates bytes and grows the memory if needed. Throws `OutOfMemory`. */
  readonly reserve: (bytes: number, what: string) => Block
  readonly free: (block: Block) => void
  /** Counts bytes of slots, for errors and `usage`. */
  readonly countSlots: (bytes: number) => void
  /** First byte of the arena. */
  readonly arena: () => number
  /** Enlarges the arena to at least this size. Throws `OutOfMemory`. */
  readonly enlargeArena: (bytes: number, what: string) => void
  readonly usage: () => { readonly slotBytes: number; readonly temporaryBytes: number; readonly totalBytes: number }
}

/**
 * All memory from a byte on.
 *
 * @param first First byte that may be handed out, a multiple of the alignment.
 */
export const makeMemory = (first: number, access: Access): EngineMemory => {
  const allocator = makeAllocator(first, LIMIT, ALIGNMENT)
  let pages = 1, slotBytes = 0
  let arena: Block | undefined
  const outOfMemory = (bytes: number, what: string, limit: number, cause?: unknown) =>
    new BackendError({
      reason: "OutOfMemory",
      message: `No room for ${what}: ${mebibytes(bytes)} asked, ${mebibytes(slotBytes)} in slots and ` +
        `${mebibytes(arena?.bytes ?? 0)} in temporaries in use, limit ${mebibytes(limit)}. ` +
        "Use a smaller batch, shorter texts or a smaller model.",
      cause,
    })
  const reserve = (bytes: number, what: string): Block => {
    const block = allocator.allocate(bytes)
    if (block === undefined) throw outOfMemory(bytes, what, LIMIT)
    const missing = Math.ceil(allocator.top() / PAGE) - pages
    if (missing > 0) {
      try {
        access.grow(missing, `growing the memory for ${what}`)
      } catch (cause) {
        allocator.free(block)
        throw outOfMemory(bytes, what, pages * PAGE, cause)
      }
      pages += missing
    }
    return block
  }
  const enlargeArena = (bytes: number, what: string): void => {
    if (arena !== undefined && arena.bytes >= bytes) return
    const old = arena
    if (old !== undefined) allocator.free(old)
    arena = undefined
    try {
      arena = reserve(bytes, what)
    } catch (error) {
      // The bytes that were just given back are still free.
      if (old !== undefined) arena = allocator.allocate(old.bytes)
      throw error
    }
  }
  return {
    reserve,
    free: allocator.free,
    countSlots: (bytes) => slotBytes += bytes,
    arena: () => arena!.address,
    enlargeArena,
    usage: () => ({ slotBytes, temporaryBytes: arena?.bytes ?? 0, totalBytes: pages * PAGE }),
  }
}
