/**
 * The derivative of attention in WebAssembly for a block of queries and a chunk of keys.
 * @module
 */
import { firstRow, integers, lesser, padded, RANGE_BYTES } from "../../attention/wasm/parts.ts"
import { keyOf } from "../../collapse.ts"
import { scaled } from "../../matmul/wasm/operands.ts"
import { type Code, get, i32, ret, select, set, when } from "../../wasm/assembler.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import { type Addresses, type Block, BLOCK_PARAMETERS, eachRange } from "./block_parts.ts"
import { narrowKeys, packQueries, wideKeys } from "./keys.ts"
import { narrowQueries, wideQueries } from "./queries.ts"
import { scratchOf, type Shape } from "./shape.ts"

/**
 * Index of the function `(scratch, seen, firstPanel, lastPanel, start, moreQueries, ...addresses)`, all i32: these panels of
 * queries, and what they see of all keys, with a packed chunk of `keys` keys from key `start` on. dq is added to what is
 * there where `start` is not 0; dk and dv where `moreQueries` is not.
 */
export const blockFunction = (context: KernelContext, shape: Shape, keys: number): number => {
  const { module, target } = context
  return module.once(
    keyOf(["attention_gradient_block", shape, keys, target]),
    () =>
      module.func(
        "attention_gradient_block",
        new Array(6 + BLOCK_PARAMETERS.length).fill("i32"),
        [],
        (f, scratch, seen, firstPanel, lastPanel, start, moreQueries, ...given) => {
          const at = Object.fromEntries(BLOCK_PARAMETERS.map((name, i) => [name, given[i]])) as Addresses
          const [lastRange, queries, any] = integers(f, 3)
          const lies = scratchOf(shape)
          const within = (place: number): Code => i32.add(get(scratch), i32.const(place))
          const rowOf = (panel: number): Code => firstRow(shape, get(panel))
          const locals = { at, seen, firstPanel, lastPanel, queries, lastRange, start, moreQueries }
          const block: Block = { context, f, shape, keys, lies, within, ...locals }
          return [
            set(lastRange, i32.add(within(lies.ranges), scaled(i32.sub(get(lastPanel), get(firstPanel)), RANGE_BYTES))),
            set(queries, i32.sub(rowOf(lastPanel), rowOf(firstPanel))),
            clipRanges(block, any),
            // Nothing to add.
            when(i32.and(i32.eqz(get(any)), i32.and(i32.ne(get(start), i32.const(0)), get(moreQueries))), ret()),
            packQueries(block),
            shape.wide ? [wideQueries(block), wideKeys(block)] : [narrowQueries(block), narrowKeys(block)],
          ]
        },
      ),
  )
}

/**
 * Of what each panel sees of all keys, the part in this chunk.
 *
 * @param any Local, 0 before; afterwards only if no panel sees any of these keys.
 */
const clipRanges = (block: Block, any: number): Code => {
  const { f, keys, seen, start, shape: { head } } = block
  const [bound] = integers(f, 1)
  const clipped: Code = lesser(
    i32.const(padded(keys)),
    select(i32.sub(get(bound), get(start)), i32.const(0), i32.gtU(get(bound), get(start))),
  )
  return eachRange(block, (range, panel) => [
    [0, 4].map((place): Code => [
      set(bound, i32.load(i32.add(get(seen), scaled(get(panel), RANGE_BYTES)), place)),
      i32.store(get(range), clipped, place),
    ]),
    // Nothing lies between two bounds that were moved to the chunk's end.
    when(i32.eq(i32.load(get(range)), i32.load(get(range), 4)), [
      [0, 4].map((place) => i32.store(get(range), i32.const(0), place)),
    ]),
    // All see the first keys.
    head === 0 ? [] : when(i32.ltU(get(start), i32.const(head)), [
      set(bound, lesser(i32.sub(i32.const(head), get(start)), i32.const(padded(keys)))),
      i32.store(get(range), i32.const(0)),
      i32.store(
        get(range),
        select(get(bound), i32.load(get(range), 4), i32.gtU(get(bound), i32.load(get(range), 4))),
        4,
      ),
    ]),
    set(any, i32.or(get(any), i32.load(get(range), 4))),
  ])
}
