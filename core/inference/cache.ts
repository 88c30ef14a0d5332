/**
 * What a model's modules keep of earlier tokens, for rows of different lengths.
 * @module
 */
import type { BackendService, Slot } from "../backend/backend.ts"
import type { Graph } from "../graph/build.ts"
import type { KeyValues } from "../contracts/site.ts"
import type { Decoding, ModuleNode } from "../model/module.ts"
import * as ops from "../tensor/ops.ts"
import type { SlotReference } from "../tensor/operations/leaves.ts"
import type { Shape } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"

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
  /** How a graph writes the first tokens of one row, `row` i32 [1]; `updates` receives the new values of slots. */
  readonly fill: (row: Tensor, updates: Updates) => Decoding
  /**
   * How a graph appends a token to each of the first rows, at its own position, `start` i32 [rows]; so many positions of
   * their memories count, i32 [rows].
   */
  readonly append: (start: Tensor, memoryLengths: Tensor, updates: Updates) => Decoding
  /** Puts in the place of each of the first rows what another one holds, `from` i32 [rows]; of memories too (`whole`). */
  readonly reorder: (from: Tensor, whole: boolean) => Graph
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
  const extending =
    (put: (slot: Slot, own: Tensor) => { readonly seen: Tensor; readonly next: Tensor }, updates: Updates) =>
    (module: ModuleNode, own: KeyValues): KeyValues => {
      const [keys, values] = [slots.get(keysOf(module))!, slots.get(valuesOf(module))!]
      const [k, v] = [put(keys, own.keys), put(values, own.values)]
      updates.push([keys, k.next], [values, v.next])
      return { keys: k.seen, values: v.seen }
    }
  const zero = () => ops.full(0, [1], "i32")
  const first = (slot: Slot, count: number) => ops.narrow(ops.slot(slot), 0, 0, count)
  const memories = [...attentions].filter(([, { of }]) => of === "memory")
    .flatMap(([path]) => [keysOf({ path }), valuesOf({ path })])
  const filling = (row: Tensor, updates: Updates) =>
    extending((slot, own) => ({ seen: own, next: ops.updateSlice(ops.slot(slot), own, row, 0) }), updates)
  return {
    ...size,
    slots,
    free,
    fill: (row, updates) => ({
      start: zero(),
      first: true,
      capacity: positions,
      extend: filling(row, updates),
      recall: (module, own) => filling(row, updates)(module, own!),
      state: (module, shape, next) => firstState(slots.get(stateOf(module))!, row, shape, next, updates),
    }),
    append: (start, memoryLengths, updates) => ({
      start,
      first: false,
      capacity: positions,
      memoryLengths,
      recall: (module) => {
        const [keys, values] = [slots.get(keysOf(module))!, slots.get(valuesOf(module))!]
        return { keys: first(keys, start.shape[0]), values: first(values, start.shape[0]) }
      },
      extend: extending((slot, own) => {
        const next = ops.updateSlice(ops.slot(slot), own, start, 2)
        return { seen: ops.narrow(next, 0, 0, own.shape[0]), next }
      }, updates),
      state: (module, shape, next) => laterState(slots.get(stateOf(module))!, start, shape, next, updates),
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
    copyOf: (other) => ({
      name: "copy of a smaller cache",
      outputs: {},
      updates: [...slots].map(([name, own]) =>
        [own, ops.updateSlice(ops.slot(own), ops.slot(other.slots.get(name)!), zero(), 0)] as const
      ),
    }),
  }
}

type Next = (before: Tensor) => Tensor

/** Writes what a row's first tokens leave, as the state after an even and after an odd number of tokens. */
function firstState(slot: Slot, row: Tensor, shape: Shape, next: Next, updates: Updates): Tensor {
  const before = ops.full(0, [1, ...shape])
  const after = ops.expand(ops.reshape(next(before), [1, 1, ...shape]), [1, 2, ...shape])
  updates.push([slot, ops.updateSlice(ops.slot(slot), after, row, 0)])
  return before
}

/** Reads the first rows' states after `start` tokens, i32 [rows], and writes those after one more. */
function laterState(slot: Slot, start: Tensor, shape: Shape, next: Next, updates: Updates): Tensor {
  const [rows] = start.shape
  const isOdd = ops.sub(start, ops.mul(ops.toInt(ops.mul(ops.toFloat(start), 0.5)), 2))
  const whole = ops.narrow(ops.slot(slot), 0, 0, rows)
  const [even, odd] = [0, 1].map((turn) => ops.reshape(ops.narrow(whole, 1, turn, turn + 1), [rows, ...shape]))
  const before = ops.where(ops.reshape(ops.equal(isOdd, 1), [rows, ...shape.map(() => 1)]), odd, even)
  const after = ops.reshape(next(before), [rows, 1, ...shape])
  updates.push([slot, ops.updateSlice(ops.slot(slot), after, ops.sub(1, isOdd), 1)])
  return before
}
