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

/** What an Attention keeps of a token: `heads` keys and values of these widths. */
export interface AttentionLayout {
  readonly heads: number
  readonly keyWidth: number
  readonly valueWidth: number
}

/** Room for `rows` rows of `positions` positions. */
export interface CacheSize {
  readonly rows: number
  readonly positions: number
}

/** New values of slots. */
export type Updates = Array<readonly [SlotReference, Tensor]>

/** A cache: two slots [rows, heads, positions, width] for each Attention. */
export interface Cache extends CacheSize {
  /** How a graph writes the first tokens of one row, `row` i32 [1]; `updates` receives the new values of slots. */
  readonly fill: (row: Tensor, updates: Updates) => Decoding
  /** How a graph appends to the first rows, each at its own position, `start` i32 [rows]. */
  readonly append: (start: Tensor, updates: Updates) => Decoding
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
  { rows, positions }: CacheSize,
): Cache {
  const all: Slot[] = []
  const free = () => all.forEach(backend.free)
  const allocate = (name: string, heads: number, width: number) => {
    const slot = backend.allocate(name, [rows, heads, positions, width])
    all.push(slot)
    return slot
  }
  const slots = new Map<string, { readonly keys: Slot; readonly values: Slot }>()
  try {
    for (const [path, { heads, keyWidth, valueWidth }] of layouts) {
      const keys = allocate(`keys of ${path}`, heads, keyWidth)
      slots.set(path, { keys, values: allocate(`values of ${path}`, heads, valueWidth) })
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
  return {
    rows,
    positions,
    slots,
    free,
    fill: (row, updates) => ({
      start: zero(),
      first: true,
      capacity: positions,
      extend: extending((slot, own) => ({ seen: own, next: ops.updateSlice(ops.slot(slot), own, row, 0) }), updates),
    }),
    append: (start, updates) => ({
      start,
      first: false,
      capacity: positions,
      extend: extending((slot, own) => {
        const next = ops.updateSlice(ops.slot(slot), own, start, 2)
        return { seen: ops.narrow(next, 0, 0, own.shape[0]), next }
      }, updates),
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
