/**
 * How large a cache is for the rows that it is to hold.
 * @module
 */
import type { CacheSize } from "./cache.ts"
import { CHUNK } from "./prompt_parts.ts"
import { power } from "./power_of_two.ts"

/** Room for rows of so many positions, and of so many tokens of prompts. */
export interface Room {
  readonly rows: number
  readonly positions: number
  readonly prompt: number
}

/** What of a model decides on the size. */
export interface SizedModel {
  /** Positions that methods put before the text of a row. */
  readonly before: number
  /** Positions that methods put before what its encoder reads. */
  readonly beforeMemory: number
  readonly maxPositions: number
  /** Whether it keeps what its encoder made of a row's prompt. */
  readonly keepsMemory: boolean
}

/** Fewest positions of a cache, and what their number is a multiple of, as pages of attention are. */
const FEWEST_POSITIONS = 64, PAGE = 8
/** Fewest tokens of a program of an encoder. */
const FEWEST_TOKENS = 16

const multiple = (of: number, size: number): number => of * Math.ceil(size / of)

/** Tokens of an encoder's program for a prompt: 16, 24, 32, 48, 64, 96, 128, ...: the least of them from `length` on. */
export function tokensFor(length: number): number {
  const whole = Math.max(FEWEST_TOKENS, power(length))
  return whole > FEWEST_TOKENS && length <= 0.75 * whole ? 0.75 * whole : whole
}

/** The size of a cache that has this room and is nowhere smaller than now; undefined where there is room already. */
export function sizeFor(
  { rows, positions, prompt }: Room,
  now: CacheSize | undefined,
  { before, beforeMemory, maxPositions, keepsMemory }: SizedModel,
): CacheSize | undefined {
  const memory = keepsMemory ? multiple(PAGE, tokensFor(prompt) + beforeMemory) : 0
  if (now !== undefined && rows <= now.rows && positions <= now.positions && memory <= now.memory) return undefined
  // So that parts of prompts fit: these begin at any token of which another row had read, else at multiples of a chunk.
  const text = Math.min(Math.max(FEWEST_POSITIONS, power(positions)), multiple(CHUNK, maxPositions))
  const wanted = multiple(PAGE, text + before)
  return {
    rows: Math.max(now?.rows ?? 1, power(rows)),
    positions: Math.max(now?.positions ?? 0, wanted),
    memory: Math.max(now?.memory ?? 0, memory),
  }
}
