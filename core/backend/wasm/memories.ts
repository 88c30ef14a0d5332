/**
 * The engine's memories. The first holds all that programs write: slots, constants, and one arena for the temporaries of
 * all programs. Slots that programs only read lie there too, as far as they leave it room; more of them lie in further
 * memories of up to 4 GiB, made on demand.
 * @module
 */
import { BackendError, mebibytes } from "../backend_error.ts"
import type { Room } from "../slots/room_problem.ts"
import type { Access } from "./access.ts"
import type { Block } from "./allocator.ts"
import { LIMIT, makeMemory, type Memory } from "./memory.ts"

/** Most bytes of read-only slots in the first memory, by default: half of it is left to what programs write. */
const SHARE = 2 ** 31

/** Bytes of one of the memories. */
export interface Place extends Block {
  /** Number of the memory. */
  readonly memory: number
  /** Whether programs only read it. */
  readonly readOnly: boolean
}

/** The memories. */
export interface EngineMemory {
  /** Allocates bytes of the first memory, or of any one for a slot that programs only read. Throws `OutOfMemory`. */
  readonly reserve: (bytes: number, what: string, readOnly?: boolean) => Place
  readonly free: (place: Place) => void
  /** Access to a memory. */
  readonly access: (memory: number) => Access
  /** Counts bytes of slots, for errors and `usage`. */
  readonly countSlots: (bytes: number) => void
  /** First byte of the arena. */
  readonly arena: () => number
  /** Enlarges the arena to at least this size. Throws `OutOfMemory`. */
  readonly enlargeArena: (bytes: number, what: string) => void
  readonly room: () => Room
  readonly usage: () => { readonly slotBytes: number; readonly temporaryBytes: number; readonly totalBytes: number }
}

/** What the memories are made of. */
export interface MemoryOptions {
  /** First byte of the first memory that may be handed out, a multiple of the alignment. */
  readonly first: number
  /** Access to the first memory. */
  readonly access: Access
  /** Makes the memory of a number from 1 on; undefined where code cannot use more than one. Throws where there is no room. */
  readonly more: ((memory: number) => Access) | undefined
  /** Most bytes of read-only slots in the first memory, and in each further one. Default: half of 4 GiB, and 4 GiB. */
  readonly share?: readonly [first: number, further: number]
}

/** The memories of an engine. */
export const makeMemories = ({ first, access, more, share = [SHARE, LIMIT] }: MemoryOptions): EngineMemory => {
  const memories: Array<Memory> = [makeMemory(first, access)]
  let inSlots = 0, readOnlyBytes = 0
  let arena: Place | undefined
  const reserveIn = (memory: number, bytes: number, what: string, readOnly: boolean): Place | undefined => {
    const block = memories[memory].reserve(bytes, what)
    return block && { ...block, memory, readOnly }
  }
  const reserveFurther = (bytes: number, what: string): Place | undefined => {
    for (let memory = 1; memory < memories.length; memory++) {
      const place = reserveIn(memory, bytes, what, true)
      if (place !== undefined) return place
    }
    if (more === undefined || bytes > share[1]) return undefined
    try {
      memories.push(makeMemory(0, more(memories.length), share[1]))
    } catch {
      return undefined // the system has no addresses left
    }
    return reserveIn(memories.length - 1, bytes, what, true)
  }
  const find = (bytes: number, what: string, readOnly: boolean): Place | undefined => {
    const inFirst = () => reserveIn(0, bytes, what, readOnly)
    if (!readOnly) return inFirst()
    return readOnlyBytes + bytes <= share[0]
      ? inFirst() ?? reserveFurther(bytes, what)
      : reserveFurther(bytes, what) ?? inFirst()
  }
  const reserve = (bytes: number, what: string, readOnly = false): Place => {
    const place = find(bytes, what, readOnly)
    if (place !== undefined) {
      if (readOnly && place.memory === 0) readOnlyBytes += place.bytes
      return place
    }
    const { limit, cause } = memories[0].size()
    throw new BackendError({
      reason: "OutOfMemory",
      message: `No room for ${what}: ${mebibytes(bytes)} asked, ${mebibytes(inSlots)} in slots and ` +
        `${mebibytes(arena?.bytes ?? 0)} in temporaries in use, limit ${mebibytes(limit)}. ` +
        `Use a smaller batch, shorter texts or a smaller model.`,
      cause,
    })
  }
  const free = (place: Place): void => {
    if (place.readOnly && place.memory === 0) readOnlyBytes -= place.bytes
    memories[place.memory].free(place)
  }
  const enlargeArena = (bytes: number, what: string): void => {
    if (arena !== undefined && arena.bytes >= bytes) return
    const old = arena
    if (old !== undefined) free(old)
    arena = undefined
    try {
      arena = reserve(bytes, what)
    } catch (error) {
      // The bytes that were just given back are still free.
      if (old !== undefined) arena = reserveIn(0, old.bytes, what, false)
      throw error
    }
  }
  return {
    reserve,
    free,
    access: (memory) => memories[memory].access,
    countSlots: (bytes) => inSlots += bytes,
    arena: () => arena!.address,
    enlargeArena,
    room: () => ({ tensor: LIMIT, free: memories[0].room(), frozenApart: more !== undefined }),
    usage: () => ({
      slotBytes: inSlots,
      temporaryBytes: arena?.bytes ?? 0,
      totalBytes: memories.reduce((sum, memory) => sum + memory.size().bytes, 0),
    }),
  }
}
