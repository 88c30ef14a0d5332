/** Label of a token that is not trained on. */
export const MASKED: number = -100
