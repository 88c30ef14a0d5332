/** What may come in a row. It may keep what it knows of the row, so each row has a value of its own. */
export interface Constraint {
  /**
   * Sets the logits of tokens that may not come next to -Infinity. A row of which it leaves none ends with `"dead end"`.
   *
   * @param logits [vocabulary], as the model gives them.
   * @param made The row's new tokens so far, without the prompt.
   */
  readonly restrict: (logits: Float32Array, made: ReadonlyArray<number>) => void
  /** Whether the row ends after its new tokens. Default: it goes on. */
  readonly complete?: (made: ReadonlyArray<number>) => boolean
  /** Bytes of the text that a token stands for, where the text is held to the constraint. Default: as the tokenizer decodes. */
  readonly bytes?: (token: number) => Uint8Array
}

/** What is wrong with a row's constraint, or nothing. */
export function wrongConstraint(constraint: Constraint | undefined, noRepeat: number | undefined): string | undefined {
  if (constraint === undefined) return
  if (typeof constraint?.restrict !== "function") {
    return `constraint must be an object with a function "restrict", got ${JSON.stringify(constraint)}`
  }
  return noRepeat === undefined
    ? undefined
    : "noRepeatNgramSize cannot go with a constraint: together they may allow nothing"
}
