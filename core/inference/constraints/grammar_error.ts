import * as Data from "effect/Data"

/** What a {@link GrammarError} holds. */
export interface GrammarErrorFields {
  /**
   * Kind of failure. `Keyword`: a part of a schema that output cannot be held to. `Schema`: not a schema. `Unmeetable`: no text
   * meets it, or none that the tokenizer can write. `Limit`: it is too large, or allows too many ways to begin.
   */
  readonly reason: "Keyword" | "Schema" | "Unmeetable" | "Limit"
  /** The keyword, where one is at fault. */
  readonly keyword?: string
  /** What is wrong, where, and what to do. */
  readonly message: string
}
/** Output cannot be held to what was asked. */
export class GrammarError extends Data.Error<GrammarErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "GrammarError" = "GrammarError"
  /** Shown in stack traces. */
  override readonly name: string = "GrammarError"
}
