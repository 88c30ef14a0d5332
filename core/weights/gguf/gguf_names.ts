/** How texts are cut before pairs of bytes are merged. */
export interface GgufCut {
  /** Normalizer of a tokenizer.json. Default: none. */
  readonly normalizer?: Readonly<Record<string, unknown>>
  /** Pre-tokenizers of a tokenizer.json, one after the other. */
  readonly parts: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** Whether a whole word that is a token is taken without merges. Default false. */
  readonly wholeWords?: boolean
  /** Whether a text begins with the bos token where the file does not say. Default false. */
  readonly addsBos?: boolean
}

/** Names that files have for tokenizers. */
export interface GgufTokenizers {
  /** By the value of `tokenizer.ggml.model`: pairs of bytes are merged, or pieces of SentencePiece. */
  readonly kinds: Readonly<Record<string, "bytes" | "pieces">>
  /** By the value of `tokenizer.ggml.pre`, each compared with the tokenizer that it was converted from. */
  readonly cuts: Readonly<Record<string, GgufCut>>
}
