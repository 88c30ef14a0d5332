import { wrongTokenId } from "../../data/token_ids.ts"
import type { Model } from "../../model/model.ts"
import { wrongWriter } from "../engine.ts"

/** Most numbers of logits that a run holds. */
const MOST = 2 ** 25
/** Most lists in a run. */
const MOST_ROWS = 8

/** What is wrong with lists of token ids that a causal language model reads, or nothing. */
export function wrongLists(model: Model, lists: ReadonlyArray<ArrayLike<number>>): string | undefined {
  const { maxPositions, vocabSize, startToken } = model.network
  if (startToken !== undefined) return "only a causal language model reads a text on its own"
  for (const list of lists) {
    if (list.length === 0 || list.length > maxPositions) {
      return `a list of ${list.length} tokens must be 1 to ${maxPositions} positions`
    }
    const id = wrongTokenId(list, vocabSize)
    if (id !== undefined) return `a list has the ${id}`
  }
  return wrongWriter(model)
}

/** Lengths of programs: 16, 32, 64, ... */
export const lengthFor = (length: number): number => Math.max(16, 2 ** Math.ceil(Math.log2(length)))

/** Indices of lists that run together. */
export function batchesOf(
  lists: ReadonlyArray<ArrayLike<number>>,
  vocabulary: number,
): ReadonlyArray<ReadonlyArray<number>> {
  const batches = new Map<number, Array<Array<number>>>()
  for (const [row, { length }] of lists.entries()) {
    const padded = lengthFor(length)
    const most = Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST / (padded * vocabulary))))
    const own = batches.get(padded) ?? []
    if (own.length === 0 || own.at(-1)!.length === most) own.push([])
    own.at(-1)!.push(row)
    batches.set(padded, own)
  }
  return [...batches.values()].flat()
}
