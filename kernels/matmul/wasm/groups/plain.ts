/**
 * Columns of plain numbers as groups without scales, for products of few rows.
 * @module
 */
import type { BlockProducts, BlockWriting, Encoding } from "../../../encoding.ts"
import { BF16, F32 } from "../../../encodings.ts"
import { i32, i32x4, type ModuleBuilder, v128 } from "../../../wasm/assembler.ts"
import { anywhere } from "../../../wasm/placed.ts"
import { dotGroups } from "./dot_groups.ts"
import { fewRows, limitsOf } from "./few_rows.ts"
import { blocksTogether, type Four, type UnscaledGroups } from "./groups.ts"
import { arrange, rowBytes } from "./row.ts"

/** Elements of a group: so many that sums pay for their way into registers, where those of two groups are not joined. */
const GROUP = 32

/** What reads whole blocks of columns, and those blocks. */
export interface BlocksOfColumns
  extends Pick<BlockProducts, "most" | "scratchBytes" | "dot">, Pick<Encoding, "block" | "blockBytes"> {}

/** Products with plain numbers. Both ways give the same bits. */
export interface PlainProducts {
  /** Many columns for more than a row or two. */
  readonly blocks: BlocksOfColumns
  /** Index of a function as `dotKernel` gives it, for rows that are arranged. */
  readonly dot: (writing: BlockWriting, tile: { readonly rows: number; readonly columns: number }) => number
  /** How a row is arranged, where its elements are not in order: the bytes, and the function `(from, to, groups)`. */
  readonly arranged?: {
    readonly bytes: number
    readonly groups: number
    readonly row: (module: ModuleBuilder) => number
  }
}

const groupsOf = (
  { blockBytes }: Encoding,
  four: (v: number) => Four,
  codes: UnscaledGroups["codes"],
): UnscaledGroups => ({
  block: GROUP,
  blockBytes: blockBytes * GROUP,
  count: 1,
  fours: Array.from({ length: GROUP / 4 }, (_, v) => four(v)),
  words: ({ block, bytes }) =>
    Array.from({ length: blockBytes * GROUP / 16 }, (_, word) => v128.load(block, bytes + 16 * word)),
  codes,
})

const GROUPS: ReadonlyMap<Encoding, UnscaledGroups> = new Map([
  [F32, groupsOf(F32, (v) => ({ first: 4 * v, step: 1 }), (_, words) => words)],
  [
    BF16,
    // An element is the upper half of an f32: of two in 32 bits the second is there, the first comes up.
    groupsOf(
      BF16,
      (v) => ({ first: 8 * (v >> 1) + v % 2, step: 2 }),
      ({ whole }, words) =>
        words.flatMap((word) => [i32x4.shl(word, i32.const(16)), v128.and(word, whole(0xffff0000 | 0))]),
    ),
  ],
])

/** How products of few rows read columns of so many elements; undefined where those are no whole groups. */
export const plainProducts = (stored: Encoding, k: number): PlainProducts | undefined => {
  const encoding = anywhere(stored), groups = GROUPS.get(encoding)
  if (groups === undefined || k === 0 || k % GROUP !== 0) return undefined
  const { name } = encoding, { blockBytes } = groups
  const count = k / GROUP, limits = limitsOf(groups), depth = blocksTogether(count, limits.most)
  const inOrder = groups.fours.every(({ step }) => step === 1)
  const arranged = {
    bytes: rowBytes(groups, count),
    groups: count,
    row: (module: ModuleBuilder) => arrange(module, name, groups),
  }
  return {
    blocks: { ...limits, block: GROUP, blockBytes, dot: (writing, tile) => fewRows(writing, tile, name, groups) },
    dot: (writing, tile) => dotGroups(writing, { ...tile, depth }, name, groups),
    ...(inOrder ? {} : { arranged }),
  }
}
