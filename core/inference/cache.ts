/**
 * Keys and values of earlier tokens, for rows of different lengths.
 * @module
 */
import type { BackendService, Slot } from "../backend/backend.ts"
import type { Graph } from "../graph/build.ts"
import type { KeyValues } from "../contracts/site.ts"
import type { Decoding } from "../model/module.ts"
import * as ops from "../tensor/ops.ts"
import type { SlotReference } from "../tensor/operations/leaves.ts"
import type { Tensor } from "../tensor/tensor.ts"

/** What an attention keeps of a token: `heads` keys and values of these widths. */
export interface AttentionLayout {
  /** Which positions of a row it keeps. */
  readonly of: "positions" | "memory"
  readonly heads: number
  readonly keyWidth: number
  readonly valueWidth: number
}

/** Room for `rows` rows of `positions` positions, and of `memory` positions of what CrossAttentions look at. */
export interface CacheSize {
  readonly rows: number
  readonly positions: number
  readonly memory: number
}

/** New values of slots. */
export type Updates = Array<readonly [SlotReference, Tensor]>

/** A cache: two slots [rows, heads, positions, width] for each attention. */
export interface Cache extends CacheSize {
  /** How a graph writes the first tokens of one row, `row` i32 [1]; `updates` receives the new values of slots. */
  readonly fill: (row: Tensor, updates: Updates) => Decoding
  /** How a graph appends to the first rows, each at its own position, `start` i32 [rows], with memories of these lengths. */
  readonly append: (start: Tensor, memoryLengths: Tensor, updates: Updates) => Decoding
  /** Puts in the place of each row what the row of a number holds, of positions alone or of memories too; `from` i32 [rows]. */
  readonly reorder: (from: Tensor, parts: ReadonlyArray<AttentionLayout["of"]>) => Graph
  /** Copies what another, smaller cache of the same model holds. */
  readonly copyOf: (other: Cache) => Graph
  /** The slots, by Attention. */
  readonly slots: ReadonlyMap<string, { readonly keys: Slot; readonly values: Slot }>
  /** Frees the slots. */
  readonly free: () => void
}

/** A cache of zeros. */
export function makeCache(
  backend: BackendService,
  layouts: ReadonlyMap<string, AttentionLayout>,
  size: CacheSize,
): Cache {
  const { rows, positions } = size
  const all: Slot[] = []
  const free = () => all.forEach(backend.free)
  const allocate = (name: string, { of, heads }: AttentionLayout, width: number) => {
    const slot = backend.allocate(name, [rows, heads, size[of], width])
    all.push(slot)
    return slot
  }
  const slots = new Map<string, { readonly keys: Slot; readonly values: Slot }>()
  try {
    for (const [path, layout] of layouts) {
      const keys = allocate(`keys of ${path}`, layout, layout.keyWidth)
      slots.set(path, { keys, values: allocate(`values of ${path}`, layout, layout.valueWidth) })
    }
  } catch (error) {
    free()
    throw error
  }
  const extending =
    (put: (slot: Slot, own: Tensor) => { readonly seen: Tensor; readonly next: Tensor }, updates: Updates) =>
    ({ path }: { readonly path: string }, own: KeyValues): KeyValues => {
      const { keys, values } = slots.get(path)!
      const [k, v] = [put(keys, own.keys), put(values, own.values)]
      updates.push([keys, k.next], [values, v.next])
      return { keys: k.seen, values: v.seen }
    }
  const zero = () => ops.full(0, [1], "i32")
  const first = (slot: Slot, rows: number) => ops.narrow(ops.slot(slot), 0, 0, rows)
  return {
    ...size,
    slots,
    free,
    fill: (row, updates) => {
      const put = extending(
        (slot, own) => ({ seen: own, next: ops.updateSlice(ops.slot(slot), own, row, 0) }),
        updates,
      )
      return { start: zero(), first: true, capacity: positions, extend: put, recall: (module, own) => put(module, own!) }
    },
    append: (start, memoryLengths, updates) => ({
      start,
      first: false,
      capacity: positions,
      memoryLengths,
      extend: extending((slot, own) => {
        const next = ops.updateSlice(ops.slot(slot), own, start, 2)
        return { seen: ops.narrow(next, 0, 0, own.shape[0]), next }
      }, updates),
      recall: ({ path }) => {
        const { keys, values } = slots.get(path)!
        return { keys: first(keys, start.shape[0]), values: first(values, start.shape[0]) }
      },
    }),
    reorder: (from, parts) => ({
      name: `reorder ${from.shape[0]} rows`,
      outputs: {},
      updates: [...slots].filter(([path]) => parts.includes(layouts.get(path)!.of)).flatMap(([, own]) =>
        [own.keys, own.values].map((slot) => {
          const [, ...shape] = slot.shape
          const rows = ops.gather(ops.reshape(ops.slot(slot), [slot.shape[0], -1]), from)
          const moved = ops.reshape(rows, [from.shape[0], ...shape])
          return [slot, ops.updateSlice(ops.slot(slot), moved, zero(), 0)] as const
        })
      ),
    }),
    copyOf: (other) => ({
      name: "copy of a smaller cache",
      outputs: {},
      updates: [...slots].flatMap(([path, own]) =>
        (["keys", "values"] as const).map((part) =>
          [own[part], ops.updateSlice(ops.slot(own[part]), ops.slot(other.slots.get(path)![part]), zero(), 0)] as const
        )
      ),
    }),
  }
}
