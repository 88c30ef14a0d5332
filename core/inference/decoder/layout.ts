/**
 * What a model's cache holds, as its modules ask for it.
 * @module
 */
import type { KeyValues } from "../../contracts/site.ts"
import type { Decoding, ModuleNode } from "../../model/module.ts"
import * as ops from "../../tensor/ops.ts"
import type { Shape } from "../../tensor/shape.ts"
import type { AttentionLayout, CacheLayout } from "./cache.ts"

/**
 * What a cache holds, and the rows that methods put before the text of a row and before what its encoder reads: from a graph
 * that is not run.
 */
export function layoutOf(
  write: (decoding: Decoding) => void,
): CacheLayout & { readonly before: number; readonly beforeMemory: number } {
  const attentions = new Map<string, AttentionLayout>(), states = new Map<string, Shape>()
  const before = { positions: 0, memory: 0 }
  const keep = (of: AttentionLayout["of"], { path }: ModuleNode, own: KeyValues) => {
    const [, heads, length, keyWidth] = own.keys.shape
    attentions.set(path, { of, heads, keyWidth, valueWidth: own.values.shape[3] })
    before[of] = length - 1
    return own
  }
  write({
    start: ops.full(0, [1], "i32"),
    first: true,
    capacity: 1,
    extend: (module, own) => keep("positions", module, own),
    recall: (module, own) => keep("memory", module, own!),
    state: ({ path }, shape) => {
      states.set(path, shape)
      return ops.full(0, [1, ...shape])
    },
  })
  return { attentions, states, before: before.positions, beforeMemory: before.memory }
}
