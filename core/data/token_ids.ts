/**
 * Describes the first token id that is not a whole number from 0 to `vocabSize - 1`; undefined if all are. The embedding has
 * no row for such an id, but a backend would compute with it without an error.
 */
export function wrongTokenId(ids: ArrayLike<number>, vocabSize: number): string | undefined {
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at]
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) continue
    return `token id ${id}: the model's token ids must be from 0 to ${vocabSize - 1}`
  }
}
