/** How far a written model may be from what it was written from. */
export interface Tolerance {
  /** Largest difference of two logits. */
  readonly logits: number
  /** Smallest share of positions, 0 to 1, at which both have the same likeliest token or class, given the same tokens before. */
  readonly agreement: number
  /** Largest factor by which the perplexity may rise. */
  readonly perplexity: number
}

/** Figures of a check. */
export interface SelfCheck {
  /** Positions that were compared; of a model for sequences, texts. */
  readonly positions: number
  /** Largest difference of two logits. */
  readonly logits: number
  /** Share of positions at which both have the same likeliest token or class, given the same tokens before. */
  readonly agreement: number
  /** Perplexity of the prompts; of a causal language model alone. */
  readonly perplexity?: { readonly before: number; readonly after: number }
  /** What was allowed. */
  readonly tolerance: Tolerance
}
