/**
 * Options that everything has which puts texts through a model without training it.
 * @module
 */
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import { TOKENIZER } from "../inference/tokenizer_option.ts"
import { OBJECT, TEXTS, wrongArgument } from "../options/argument.ts"
import { faultsOf, withDefaults } from "../options/check.ts"
import type { Field, OptionTable, Resolved } from "../options/field.ts"
import * as field from "../options/fields.ts"
import { TrainingError } from "./training_error.ts"

/** Options of `embed`, `evaluate` and `predict` alike. */
export interface JudgingOptions {
  /** Texts or examples per batch. Default 32. */
  readonly batchSize?: number
  /** Maximum tokens of each; longer ones are cut. Default: the model's positions, and a longer one is an error. */
  readonly maxLength?: number
  /** Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
  /**
   * The plugin of each row by id (`"method/name"`), or `""` for none; rows of one batch may differ. Other plugins of the
   * named methods are off for the row. Default: all plugins for every row.
   */
  readonly plugins?: ReadonlyArray<string>
}

/** Options without a default. */
export type Open = "maxLength" | "tokenizer" | "plugins"

/** {@link JudgingOptions} as a table. */
export const JUDGING_OPTIONS: OptionTable<JudgingOptions, Open> = {
  batchSize: field.integer({ minimum: 1, default: 32 }),
  maxLength: field.integer({ minimum: 1 }),
  tokenizer: TOKENIZER,
  plugins: TEXTS as Field<ReadonlyArray<string>>,
}

/** Checks options and fills in defaults. Throws {@link TrainingError} that names every wrong one. */
export function judgingOptions<Options extends JudgingOptions, Own extends keyof Options = Open>(
  table: OptionTable<Options, Own>,
  options: Options,
): Resolved<Options, Own> {
  const wrong = wrongArgument("options", options, OBJECT)
  const faults = wrong === undefined ? faultsOf(table, options).map(({ message }) => message) : [wrong]
  if (faults.length === 0) return withDefaults(table, options)
  throw new TrainingError({ reason: "Options", message: faults.join("; ") })
}
