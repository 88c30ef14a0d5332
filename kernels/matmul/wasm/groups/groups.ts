/**
 * Blocks of an encoding as groups of elements that share a scale, for products that read whole blocks.
 * @module
 */
import type { Code, FunctionScope } from "../../../wasm/assembler.ts"
import type { Numbers } from "../../../wasm/vector_math.ts"

/** Which elements of a group four codes are. */
export interface Four {
  /** Number of the first within the group. */
  readonly first: number
  /** Distance to the next: so many fours are neighbours together, and begin at a multiple of four times that. */
  readonly step: 1 | 2 | 4 | 8
  /** A power of two by which the codes are to be multiplied. Default 1. */
  readonly factor?: number
}

/** Where a group lies. */
export interface GroupPlace {
  /** Byte address of a block, a local. */
  readonly block: Code
  /** Bytes from there to the group's own block. */
  readonly bytes: number
  /** Number of the group within its own block. */
  readonly group: number
}

/** How a block falls into groups: elements are `scale * (code + bias) + sign * offset`. */
export interface Groups {
  /** Elements of a block. */
  readonly block: number
  /** Bytes of a block. */
  readonly blockBytes: number
  /** Groups of a block. */
  readonly count: number
  /** The elements of a group. */
  readonly fours: ReadonlyArray<Four>
  /** Added to the codes. Default 0. */
  readonly bias?: number
  /** What offsets are multiplied by. Default 0: there are none. */
  readonly sign?: 1 | -1
  /** Whether the engine cannot join what `codes` does, see ../../../wasm/wide.ts. Default false. */
  readonly narrow?: boolean
  /** Vectors with the bytes of a group's codes. */
  readonly words: (place: GroupPlace) => ReadonlyArray<Code>
  /**
   * For each {@link Four} its codes, f32x4, from the words, locals. Each is evaluated once; of fours with the same remainder
   * of `first` by `step` in this order, so that one can leave locals of the function to the next.
   */
  readonly codes: (numbers: Numbers, words: ReadonlyArray<Code>, scope: FunctionScope) => ReadonlyArray<Code>
  /**
   * Scales and offsets of up to four groups, f32x4, each evaluated once and in this order: those of the first and the third
   * group, then those of the second and the fourth. Finite numbers where there is no offset or no group.
   */
  readonly scales: (
    numbers: Numbers,
    places: ReadonlyArray<GroupPlace>,
    scope: FunctionScope,
  ) => readonly [Code, Code]
}

/** Groups, or elements that are their codes. */
export type UnscaledGroups = Omit<Groups, "scales"> & Partial<Pick<Groups, "scales">>

/** Groups of a part: their scales are read together. */
export const PART = 4

/** Where group `g` of neighbouring blocks lies, from the block of group `from` on. */
export const placeOf = ({ count, blockBytes }: UnscaledGroups, block: Code, g: number, from: number): GroupPlace => ({
  block,
  bytes: blockBytes * (Math.floor(g / count) - Math.floor(from / count)),
  group: g % count,
})

/** How many of so many blocks are summed at a time, where at most `most` can be: even shares. */
export const blocksTogether = (blocks: number, most: number): number => Math.ceil(blocks / Math.ceil(blocks / most))
