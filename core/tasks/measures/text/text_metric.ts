/** A score of texts that were written, beside those that were expected. */
export interface TextMetric {
  /** Its name. */
  readonly name: string
  /** Scores by name, of all texts together; `references[i]` are the right answers for text i, one or several. */
  readonly score: (
    texts: ReadonlyArray<string>,
    references: ReadonlyArray<ReadonlyArray<string>>,
  ) => Readonly<Record<string, number>>
}

/** The mean over texts of the best value beside one of its references; 0 without texts. */
export function meanOfBest(
  texts: ReadonlyArray<string>,
  references: ReadonlyArray<ReadonlyArray<string>>,
  value: (text: string, reference: string) => number,
): number {
  const best = texts.map((text, i) => Math.max(...references[i].map((reference) => value(text, reference))))
  return best.length === 0 ? 0 : best.reduce((sum, one) => sum + one, 0) / best.length
}
