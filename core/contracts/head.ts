/** The output layer that a task asks of a model family. */
export type Head = SizedHead | VocabularyHead

/** Some numbers for each sequence, logits [B, size], or for each token, logits [B, T, size]. */
export interface SizedHead {
  /** What the numbers are for. */
  readonly kind: "sequence" | "token"
  /** How many numbers there are: classes or scores. */
  readonly size: number
}

/** A score for each token of the vocabulary, at each token: logits [B, T, vocabulary]. */
export interface VocabularyHead {
  /** What the scores are for. */
  readonly kind: "vocabulary"
  /** Which tokens the model must see: those before a token, or those on both sides. */
  readonly attention: Attention
}

/** Which tokens a model's tokens see: those before them and themselves, or all. */
export type Attention = "causal" | "bidirectional"
