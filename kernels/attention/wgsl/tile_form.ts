/**
 * How the shaders of attention cut rows, and how they write numbers of several rows.
 * @module
 */
import type { DeviceTraits } from "../../wgsl/kernel.ts"

/** How the rows are cut. */
export interface TileForm {
  /** Threads of a workgroup. */
  readonly lanes: number
  /** Rows that a thread has. */
  readonly own: 1 | 4
  /** Other rows of a tile, at most 32. */
  readonly others: number
  /** Whether other rows are broadcast within the subgroup, which is the workgroup; else each thread reads them all. */
  readonly broadcast: boolean
}

/** Chooses the form where so many rows are to be shared out. */
export const tileForm = (
  rows: number,
  { software, subgroups }: Pick<DeviceTraits, "software" | "subgroups">,
): TileForm => {
  if (!software) return { lanes: 64, own: 1, others: 16, broadcast: false }
  const size = subgroups?.smallest === subgroups?.largest ? subgroups?.largest : undefined
  const broadcast = size === 4 || size === 8
  const lanes = broadcast ? size : 8
  return { lanes, own: rows > lanes ? 4 : 1, others: broadcast ? 4 * lanes : 8, broadcast }
}

/** Rows of an operand: own ones, whose addresses are `<at><r>`, or others, `at` being the address of the first. */
export interface TileRows {
  /** The operand's name. */
  readonly name: string
  /** Beginning of the names of the addresses. */
  readonly at: string
}

/** How a shader's code is written: a number for each own row is a vector where there are four. */
export interface TileText {
  /** Type of one number for each own row. */
  readonly type: (element: "f32" | "u32") => string
  /** Such a number from an expression for each own row. */
  readonly gather: (of: (r: number) => string) => string
  /** Own row r's part of such a number. */
  readonly part: (value: string, r: number) => string
  /** Adds statements. */
  readonly push: (...statements: ReadonlyArray<string>) => void
}

/** Rows of the tile that a thread reads itself, and how it comes by all of them. */
export const slotsOf = ({ broadcast, others, lanes }: TileForm): number => broadcast ? others / lanes : others

/** Numbers from 0 on. */
export const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)
