/** What a model type says of its models' tokenizers. */
export interface ModelTokenizer {
  /** The class that stands for the type where no file names one, as transformers calls it, without "Fast". */
  readonly class: string
  /**
   * What transformers 5 does for this type whatever class a file names: takes the type's own, or takes tokenizer.json as it
   * is. Default: neither, the named class counts.
   */
  readonly in5?: "own class" | "as it is"
}

/** What model types say, by the type. A type whose name is that of its class needs no entry. */
export type ModelTokenizers = Readonly<Record<string, ModelTokenizer>>
