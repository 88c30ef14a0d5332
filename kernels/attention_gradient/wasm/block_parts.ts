/**
 * What the parts of a block of the derivative of attention in WebAssembly have in common: what its function is given, and
 * a walk over its panels of queries.
 * @module
 */
import { RANGE_BYTES } from "../../attention/wasm/parts.ts"
import { type Code, forRange, type FunctionScope, get, increase, set } from "../../wasm/assembler.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import type { scratchOf, Shape } from "./shape.ts"

/** Parameters of a block: addresses of its first query, but of the first key for `dk` and `dv`. */
export const BLOCK_PARAMETERS = [
  "q",
  "bounds",
  "bias",
  "factor",
  "logSum",
  "cotangent",
  "delta",
  "dq",
  "dk",
  "dv",
] as const
/** Locals with them. */
export type Addresses = Readonly<Record<typeof BLOCK_PARAMETERS[number], number>>

/** A block of queries and a chunk of keys while the function for them is written. */
export interface Block {
  readonly context: KernelContext
  readonly f: FunctionScope
  readonly shape: Shape
  /** Keys of the chunk. */
  readonly keys: number
  /** Where things lie in the scratch, and the address of what lies there. */
  readonly lies: ReturnType<typeof scratchOf>
  readonly within: (place: number) => Code
  /** Those of queries move on while the panels are walked. */
  readonly at: Addresses
  /** Local with the address of what the panels of all queries see of all keys. */
  readonly seen: number
  /** Locals with the block's first panel of queries, the one behind its last, and the number of its queries. */
  readonly firstPanel: number
  readonly lastPanel: number
  readonly queries: number
  /** Local with the address behind the last of the block's ranges. */
  readonly lastRange: number
  /** Local with the chunk's first key; 0: nothing is in dq yet. */
  readonly start: number
  /** Local; 0: nothing is in dk and dv yet. */
  readonly moreQueries: number
}

/**
 * For each panel of queries.
 *
 * @param body Code for a panel: locals with the address of what it sees of the chunk, and with its number.
 */
export const eachRange = (
  { f, lies, within, firstPanel, lastRange }: Block,
  body: (range: number, panel: number) => Code,
): Code => {
  const [range, panel] = [f.local("i32"), f.local("i32")]
  return [
    set(panel, get(firstPanel)),
    forRange(range, within(lies.ranges), get(lastRange), RANGE_BYTES, body(range, panel), increase(panel, 1)),
  ]
}
