/**
 * What is wrong with token ids that a model is to read: the first that is no whole number from 0 to `vocabSize - 1`, or
 * nothing. An embedding has no row for it, and a backend would give numbers all the same.
 */
export function wrongTokenId(ids: ArrayLike<number>, vocabSize: number): string | undefined {
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at]
    if (Number.isInteger(id) && id >= 0 && id < vocabSize) continue
    return `token id ${id}: the model's token ids must be from 0 to ${vocabSize - 1}`
  }
}
