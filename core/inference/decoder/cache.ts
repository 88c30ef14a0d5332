/**
 * What a model's modules keep of earlier tokens, for rows of different lengths.
 * @module
 */
import type { BackendService, Slot } from "../../backend/backend.ts"
import type { Graph } from "../../graph/build.ts"
import type { KeyValues } from "../../contracts/site.ts"
import type { Decoding, Kept, ModuleNode } from "../../model/module.ts"
import * as ops from "../../tensor/ops.ts"
import type { SlotReference } from "../../tensor/operations/leaves.ts"
import type { Shape } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/** What an attention keeps of a token: `heads` keys and values of these widths. */
export interface AttentionLayout {
  /** What it keeps them of: the row's own positions, or the memory that a CrossAttention looks at. */
  readonly of: "positions" | "memory"
  readonly heads: number
  readonly keyWidth: number
  readonly valueWidth: number
}

/** What modules keep, by their paths. */
export interface CacheLayout {
  /** Of each token. */
  readonly attentions: ReadonlyMap<string, AttentionLayout>
  /** Of all tokens of a row together. */
  readonly states: ReadonlyMap<string, Shape>
}

/** Room for `rows` rows of `positions` positions, with memories of `memory` positions. */
export interface CacheSize {
  readonly rows: number
  readonly positions: number
  readonly memory: number
}

/** New values of slots. */
export type Updates = Array<readonly [SlotReference, Tensor]>

/** A cache: two slots [rows, heads, positions, width] for each attention, one [rows, 2, ...shape] for each state. */
export interface Cache extends CacheSize {
  /**
   * How a graph writes the first tokens of some rows. `places` i32 [B, 2] has a row of the cache, then 0, for each row of
   * the batch; `updates` receives the new values of slots.
   */
  readonly begin: (places: Tensor, updates: Updates) => Decoding
  /**
   * How a graph writes a further token to some rows, or `several`. `places` i32 [B, 2] has a row of the cache, then its
   * number of filled positions, for each row of the batch; two of these may be one. So many positions of their memories
   * count, i32 [B].
   */
  readonly extend: (places: Tensor, several: boolean, memoryLengths: Tensor, updates: Updates) => Decoding
  /** Puts in the place of each of the first rows what another one holds, `from` i32 [rows]; of memories too (`whole`). */
  readonly reorder: (from: Tensor, whole: boolean) => Graph
  /** Copies a row's first positions into another one. `from` is its number, i32 [1]; `places` i32 [1, 2] the other's, then 0. */
  readonly copy: (from: Tensor, places: Tensor, length: number) => Graph
  /** Copies what another, smaller cache of the same model holds. */
  readonly copyOf: (other: Cache) => Graph
  /** The slots, by name. */
  readonly slots: ReadonlyMap<string, Slot>
  /** Frees the slots. */
  readonly free: () => void
}

const keysOf = ({ path }: Pick<ModuleNode, "path">) => `keys of ${path}`
const valuesOf = ({ path }: Pick<ModuleNode, "path">) => `values of ${path}`
const stateOf = ({ path }: Pick<ModuleNode, "path">) => `state of ${path}`

/** A cache of zeros. */
export function makeCache(
  backend: BackendService,
  { attentions, states }: CacheLayout,
  size: CacheSize,
): Cache {
  const { rows, positions } = size
  const slots = new Map<string, Slot>()
  const free = () => slots.forEach((slot) => backend.free(slot))
  const allocate = (name: string, shape: Shape) => slots.set(name, backend.allocate(name, [rows, ...shape]))
  try {
    for (const [path, { of, heads, keyWidth, valueWidth }] of attentions) {
      allocate(keysOf({ path }), [heads, size[of], keyWidth])
      allocate(valuesOf({ path }), [heads, size[of], valueWidth])
    }
    // States after even and after odd numbers of tokens: a step that failed can be taken again.
    for (const [path, shape] of states) allocate(stateOf({ path }), [2, ...shape])
  } catch (error) {
    free()
    throw error
  }
  /** Writes keys and values; gives all that the slots hold then. */
  const put = (places: Tensor, updates: Updates) => (module: ModuleNode, own: KeyValues): Kept => {
    const [keys, values] = ([[keysOf, "keys"], [valuesOf, "values"]] as const).map(([nameOf, part]) => {
      const slot = slots.get(nameOf(module))!
      const next = ops.updateSlice(ops.slot(slot), own[part], places, 2)
      updates.push([slot, next])
      return next
    })
    return { keys, values, rows: rowsOf(places) }
  }
  const zero = () => ops.full(0, [1], "i32")
  const memories = [...attentions].filter(([, { of }]) => of === "memory")
    .flatMap(([path]) => [keysOf({ path }), valuesOf({ path })])
  return {
    ...size,
    slots,
    free,
    begin: (places, updates) => ({
      start: startOf(places),
      first: true,
      capacity: positions,
      extend: put(places, updates),
      recall: (module, own) => {
        put(places, updates)(module, own!)
        return own!
      },
      state: stateAt(slots, places, true, updates),
    }),
    extend: (places, several, memoryLengths, updates) => ({
      start: startOf(places),
      first: false,
      capacity: positions,
      memoryLengths,
      extend: put(places, updates),
      recall: (module) => {
        const [keys, values] = [keysOf, valuesOf].map((nameOf) => ops.slot(slots.get(nameOf(module))!))
        return { keys, values, rows: rowsOf(places) }
      },
      state: stateAt(slots, places, several, updates),
    }),
    reorder: (from, whole) => ({
      name: `reorder ${from.shape[0]} rows`,
      outputs: {},
      updates: [...slots].filter(([name]) => whole || !memories.includes(name)).map(([, slot]) => {
        const [, ...shape] = slot.shape
        const moved = ops.gather(ops.reshape(ops.slot(slot), [rows, -1]), from)
        return [slot, ops.updateSlice(ops.slot(slot), ops.reshape(moved, [-1, ...shape]), zero(), 0)] as const
      }),
    }),
    copy: (from, places, length) => ({
      name: `copy of ${length} positions`,
      outputs: {},
      updates: [...attentions].filter(([, { of }]) => of === "positions").flatMap(([path]) =>
        [keysOf, valuesOf].map((nameOf) => {
          const slot = slots.get(nameOf({ path }))!
          const [, heads, , width] = slot.shape
          const lines = ops.narrow(ops.reshape(ops.slot(slot), [rows * heads, -1]), 1, 0, length * width)
          const own = ops.gather(lines, ops.add(ops.mul(from, heads), ops.iota([heads], 0)))
          return [
            slot,
            ops.updateSlice(ops.slot(slot), ops.reshape(own, [1, heads, length, width]), places, 2),
          ] as const
        })
      ),
    }),
    copyOf: (other) => ({
      name: "copy of a smaller cache",
      outputs: {},
      updates: [...slots].map(([name, own]) =>
        [own, ops.updateSlice(ops.slot(own), ops.slot(other.slots.get(name)!), zero(), 0)] as const
      ),
    }),
  }
}

/** Rows of the cache, i32 [B, 1]. */
const rowsOf = (places: Tensor): Tensor => ops.narrow(places, 1, 0, 1)
/** Filled positions, i32 [B]. */
const startOf = (places: Tensor): Tensor => ops.reshape(ops.narrow(places, 1, 1, 2), [-1])

/**
 * Reads rows' states and writes those after the batch's tokens. A token's is written beside the one before it; after several
 * tokens it stands in both places, and what was before is lost.
 */
const stateAt = (
  slots: ReadonlyMap<string, Slot>,
  places: Tensor,
  several: boolean,
  updates: Updates,
): Decoding["state"] =>
(module, shape, next) => {
  const slot = slots.get(stateOf(module))!
  const [rows] = slot.shape, [count] = places.shape
  const ofRows = (x: Tensor) => ops.reshape(x, [count, ...shape.map(() => 1)])
  const start = startOf(places)
  const isOdd = ops.sub(start, ops.mul(ops.toInt(ops.mul(ops.toFloat(start), 0.5)), 2))
  const both = ops.reshape(ops.gather(ops.reshape(ops.slot(slot), [rows, -1]), rowsOf(places)), [count, 2, ...shape])
  const [even, odd] = [0, 1].map((turn) => ops.reshape(ops.narrow(both, 1, turn, turn + 1), [count, ...shape]))
  const before = ops.where(ofRows(ops.equal(start, 0)), 0, ops.where(ofRows(ops.equal(isOdd, 1)), odd, even))
  const after = ops.reshape(next(before), [count, 1, ...shape])
  const turn = ops.reshape(several ? ops.mul(start, 0) : ops.sub(1, isOdd), [count, 1])
  const made = several ? ops.expand(after, [count, 2, ...shape]) : after
  updates.push([slot, ops.updateSlice(ops.slot(slot), made, ops.concat([rowsOf(places), turn], 1), 1)])
  return before
}
