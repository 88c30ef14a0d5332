/**
 * Prompts are read in parts: which tokens of each come next.
 * @module
 */
import { power } from "./power_of_two.ts"

/** A prompt, of which a part is to be read. */
export interface Part {
  /** Row of the cache. */
  readonly slot: number
  readonly prompt: ArrayLike<number>
  /** Number of its tokens that are read already. */
  readonly read: number
  /** Index of its plugin in the choice. */
  readonly plugin: number
  /** Slot of its adapter in the model's bank. */
  readonly adapter: number
}

/** What was read of a prompt. */
export interface PartRead {
  /** Number of its tokens that are read now. */
  readonly read: number
  /** Logits of the next token, if that is all. */
  readonly logits?: Float32Array
}

/** Tokens of a row, from position `start` of it on. */
export interface Tokens {
  readonly slot: number
  readonly tokens: Int32Array
  readonly start: number
  readonly plugin: number
  readonly adapter: number
}

/** Tokens of prompts that are read together. */
export const CHUNK = 128
/**
 * Fewest tokens of a part that is read alone, or beside others: products of few rows, and attention of few queries, add in
 * another order, and a prompt's bits are to be the same in any parts.
 */
export const FEWEST_ALONE = 32, FEWEST_BESIDE = 16
/** What parts are cut for. */
export interface PartsRoom {
  /** Whether the model puts positions before these parts: all of them are the first of their prompts. */
  readonly isFirst: boolean
  /** Positions that methods put before the text of a row. */
  readonly before: number
  /** Fewest tokens of a part beside others. */
  readonly fewest: number
  /** Positions of a row of the cache. */
  readonly positions: number
  /** Most positions of the model. */
  readonly maxPositions: number
}

/**
 * The next part of each of some prompts, about 128 tokens of all together, and the number of tokens of their program. Each
 * says up to where its prompt is read then.
 */
export function cutParts(
  parts: ReadonlyArray<Part>,
  { isFirst, before, fewest, positions, maxPositions }: PartsRoom,
): { readonly length: number; readonly given: ReadonlyArray<Tokens & { readonly read: number }> } {
  const left = Math.max(...parts.map(({ prompt, read }) => prompt.length - read))
  const room = positions - before, fits = room - Math.max(...parts.map(({ read }) => read))
  let share = Math.min(CHUNK / power(parts.length), power(left))
  while (share > fits) share /= 2
  const length = Math.min(Math.max(parts.length === 1 ? FEWEST_ALONE : fewest, share), maxPositions)
  const given = parts.map(({ slot, prompt, read, plugin, adapter }) => {
    // A part that began where another row's text went on otherwise may reach beyond the row: it reads some tokens again.
    const from = Math.min(read, room - length)
    const tokens = Int32Array.from({ length: Math.min(length, prompt.length - from) }, (_, i) => prompt[from + i])
    return { slot, tokens, plugin, adapter, start: isFirst ? 0 : before + from, read: from + tokens.length }
  })
  return { length, given }
}
