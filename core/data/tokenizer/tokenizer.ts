/** Text to token ids and back. */
export interface Tokenizer {
  /** Number of ids: one more than the largest. */
  readonly vocabSize: number
  /** Id that fills up short rows, where the tokenizer names one. */
  readonly padId?: number
  /** Id that ends a text, where the tokenizer names one. */
  readonly eosId?: number
  /** Id that begins a text, where the tokenizer names one. */
  readonly bosId?: number
  /** Id that stands for a hidden token, where the tokenizer names one. */
  readonly maskId?: number
  /** What a person should know of how the files were read. Default: nothing. */
  readonly notes?: ReadonlyArray<string>
  /** Whether {@link Tokenizer.encode} puts special tokens around a text. */
  readonly addsSpecialTokens: boolean
  /**
   * Token ids of a text. Special tokens that the tokenizer puts around it are added by default. A character `hidden` within
   * what spells an added token keeps it from being found, and is no part of the text; default: none.
   *
   * @throws DataError `Tokenizer` when the tokenizer has no token for a piece of the text, or it holds half of a character.
   */
  readonly encode: (
    text: string,
    options?: { readonly addSpecialTokens?: boolean; readonly hidden?: string },
  ) => Int32Array
  /** Text of token ids, special tokens included unless told otherwise. */
  readonly decode: (ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }) => string
  /** The token itself as the vocabulary spells it; undefined for an unknown id. */
  readonly token: (id: number) => string | undefined
  /** Id of a token as the vocabulary spells it; undefined for an unknown token. */
  readonly id: (token: string) => number | undefined
}
