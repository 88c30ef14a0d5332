/**
 * A cache that gives way to a larger one as rows need room, and whose rows move.
 * @module
 */
import type { BackendService } from "../../backend/backend.ts"
import { runOnce } from "../../model/sites/run_once.ts"
import * as ops from "../../tensor/ops.ts"
import type { Programs } from "../programs.ts"
import { type Cache, type CacheLayout, type CacheSize, makeCache } from "./cache.ts"
import { type Room, type SizedModel, sizeFor } from "./cache_size.ts"
import { power } from "./power_of_two.ts"

/** A cache that grows. Runs must follow each other. */
export interface GrowingCache {
  /** The cache as it is; there is none before the first room is reserved. */
  readonly now: () => Cache
  /** Rows that there is room for. */
  readonly rows: () => number
  /** Tokens of each row's prompt, for the encoder-decoder models that go on reading it. */
  readonly promptLengths: () => Int32Array
  /** Grows to hold at least this; what it holds is kept. */
  readonly reserve: (room: Room) => Promise<void>
  /** Puts the first positions of a row into another one. */
  readonly copy: (from: number, to: number, positions: number) => Promise<void>
  /** Puts in the place of each of the first rows what another one holds; of their prompts too (`whole`). */
  readonly reorder: (from: ReadonlyArray<number>, whole: boolean) => Promise<void>
  /** Frees the cache, and the programs that use it. */
  readonly free: () => void
}

/**
 * A growing cache without room.
 *
 * @param programs Those that use the cache, none else: they are freed when it grows.
 */
export function makeGrowingCache(
  backend: BackendService,
  programs: Programs,
  layout: CacheLayout,
  model: SizedModel,
): GrowingCache {
  let cache: Cache | undefined
  let promptLengths = new Int32Array(0)
  const free = () => {
    programs.clear()
    cache?.free()
  }
  return {
    now: () => cache!,
    rows: () => cache?.rows ?? 0,
    promptLengths: () => promptLengths,
    reserve: async (room) => {
      const size = sizeFor(room, cache, model)
      if (size === undefined) return
      const larger = await grown(backend, layout, size, cache)
      // Programs name the slots that they use.
      free()
      cache = larger
      const lengths = new Int32Array(cache.rows)
      lengths.set(promptLengths)
      promptLengths = lengths
    },
    copy: async (from, to, positions) => {
      const length = Math.min(power(positions), cache!.positions)
      const program = await programs.get(
        `copy ${length}`,
        () =>
          cache!.copy(ops.input("from", [1], { dtype: "i32" }), ops.input("places", [1, 2], { dtype: "i32" }), length),
      )
      await program.run({ from: Int32Array.of(from), places: Int32Array.of(to, 0) })
    },
    reorder: async (from, whole) => {
      const rows = Int32Array.from(from)
      if (whole) promptLengths.set(rows.map((row) => promptLengths[row]))
      const program = await programs.get(
        `reorder ${rows.length} ${whole}`,
        () => cache!.reorder(ops.input("from", [rows.length], { dtype: "i32" }), whole),
      )
      await program.run({ from: rows })
    },
    free,
  }
}

/** A cache of this size with what a smaller one holds, which is left as it is. */
async function grown(
  backend: BackendService,
  layout: CacheLayout,
  size: CacheSize,
  smaller: Cache | undefined,
): Promise<Cache> {
  const larger = makeCache(backend, layout, size)
  try {
    if (smaller !== undefined) await runOnce(backend, larger.copyOf(smaller))
  } catch (error) {
    larger.free()
    throw error
  }
  return larger
}
