/** The output layer that a task needs. */
export type Head = SizedHead | VocabularyHead

/** `size` numbers for each sequence, logits [B, size], or for each token, logits [B, T, size]. */
export interface SizedHead {
  /** For each sequence or each token. */
  readonly kind: "sequence" | "token"
  /** Number of classes or scores. */
  readonly size: number
}

/** A score for each token of the vocabulary, at each token: logits [B, T, vocabulary]; T of the target where there is one. */
export interface VocabularyHead {
  /** For each token of the vocabulary. */
  readonly kind: "vocabulary"
  /** Tokens that each token attends to. */
  readonly attention: Attention
}

/**
 * Tokens attend to themselves and earlier ones, or to all. `"encoder-decoder"`: those of a source to all of it, those of a
 * target to themselves, to earlier ones, and to the source.
 */
export type Attention = "causal" | "bidirectional" | "encoder-decoder"
