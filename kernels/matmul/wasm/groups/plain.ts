/**
 * Rows of plain numbers as groups without scales, for products of few rows.
 * @module
 */
import type { BlockProducts, BlockWriting, Encoding } from "../../../encoding.ts"
import { BF16, F32 } from "../../../encodings.ts"
import { call, type Code, i32, i32x4, type ModuleBuilder, v128 } from "../../../wasm/assembler.ts"
import { fewRows, limitsOf } from "./few_rows.ts"
import type { Four, UnscaledGroups } from "./groups.ts"
import { dotGroups } from "./one_row.ts"
import { arrange, rowBytes } from "./row.ts"

/** Elements of a group: long enough that the sums of one, where they are not joined, pay for taking their places in registers. */
const GROUP = 32

/** Products with plain numbers. */
export interface PlainProducts {
  /** For more rows. */
  readonly blocks: BlocksOfColumns
  /** For a row or two, whose elements are arranged: bytes of one, code that arranges one, and the kernel. */
  readonly rowBytes: number
  readonly arrangeRow: (module: ModuleBuilder, from: Code, to: Code) => Code
  readonly dot: (writing: BlockWriting, tile: { readonly rows: number; readonly columns: number }) => number
}

/** What reads whole blocks of columns, and the blocks. */
export interface BlocksOfColumns
  extends Pick<BlockProducts, "most" | "scratchBytes" | "dot">, Pick<Encoding, "block" | "blockBytes"> {}

/** Groups of elements that have so many to a vector of 128 bits. */
const groupsOf = (
  { blockBytes }: Encoding,
  fours: ReadonlyArray<Four>,
  codes: UnscaledGroups["codes"],
): UnscaledGroups => ({
  block: GROUP,
  blockBytes: blockBytes * GROUP,
  count: 1,
  fours,
  words: ({ block, bytes }) =>
    Array.from({ length: blockBytes * GROUP / 16 }, (_, word) => v128.load(block, bytes + 16 * word)),
  codes,
})

const GROUPS: ReadonlyMap<Encoding, UnscaledGroups> = new Map([
  [
    F32,
    groupsOf(F32, Array.from({ length: GROUP / 4 }, (_, v) => ({ first: 4 * v, step: 1 })), (_, words) => words),
  ],
  [
    BF16,
    // An element of a pair is the upper half of an f32, as is the other one 16 bits further up.
    groupsOf(
      BF16,
      Array.from({ length: GROUP / 4 }, (_, v) => ({ first: 8 * (v >> 1) + v % 2, step: 2 })),
      ({ whole }, words) =>
        words.flatMap((word) => [i32x4.shl(word, i32.const(16)), v128.and(word, whole(0xffff0000 | 0))]),
    ),
  ],
])

/** How products of few rows read columns of so many elements; undefined where those are no whole groups. */
export const plainProducts = (encoding: Encoding, k: number): PlainProducts | undefined => {
  const groups = GROUPS.get(encoding)
  if (groups === undefined || k === 0 || k % GROUP !== 0) return undefined
  const { name, blockBytes } = encoding, count = k / GROUP, limits = limitsOf(groups)
  const depth = Math.ceil(count / Math.ceil(count / limits.most))
  return {
    blocks: {
      ...limits,
      block: GROUP,
      blockBytes: GROUP * blockBytes,
      dot: (writing, tile) => fewRows(writing, tile, name, groups),
    },
    rowBytes: rowBytes(groups, count),
    arrangeRow: (module, from, to) => call(arrange(module, name, groups), from, to, i32.const(count)),
    dot: (writing, tile) => dotGroups(writing, { ...tile, count, depth }, name, groups),
  }
}
