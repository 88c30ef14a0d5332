/**
 * A block of an encoding as groups of elements `scale * code + offset`, for products that read whole blocks.
 * @module
 */
import type { Code } from "../../../wasm/assembler.ts"
import type { Numbers } from "../../../wasm/vector_math.ts"

/** Which elements of a group four codes are. */
export interface Four {
  /** Number of the first within the group. */
  readonly first: number
  /** Distance to the next: neighbours, or one of each of four fours. */
  readonly step: 1 | 4
  /** A power of two: elements are scale * factor * code + offset. Default 1. */
  readonly factor?: number
}

/** A group in memory. */
export interface GroupPlace {
  /** Byte address of a block. */
  readonly block: Code
  /** Bytes from there to the group's own block. */
  readonly bytes: number
  /** Number of the group within its own block. */
  readonly group: number
}

/** How a block falls into groups. */
export interface Groups {
  /** Bytes of a block. */
  readonly blockBytes: number
  /** Groups of a block. */
  readonly count: number
  /** The elements of a group: sixteen neighbours are four fours of one step. */
  readonly fours: ReadonlyArray<Four>
  /** Whether there are offsets. */
  readonly offset: boolean
  /** Vectors with the bytes of a group's codes. */
  readonly words: (place: GroupPlace) => ReadonlyArray<Code>
  /** For each {@link Four} its codes, f32x4, from the words. */
  readonly codes: (numbers: Numbers, words: ReadonlyArray<Code>) => ReadonlyArray<Code>
  /** Scale and offset of a group, then of another, f32x4. Without offsets, those lanes are arbitrary. */
  readonly scales: (numbers: Numbers, first: GroupPlace, second: GroupPlace) => Code
}
