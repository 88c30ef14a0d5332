import { faultsOf, withDefaults } from "../../options/check.ts"
import type { Field, OptionTable, Resolved } from "../../options/field.ts"
import * as field from "../../options/fields.ts"
import { ModelError } from "../model_error.ts"
import type { TaskOf } from "../../tasks/task.ts"

/** Options of {@link initialize}. */
export interface InitializeOptions {
  /** What the model is for. */
  readonly task: TaskOf
  /** Seed of new parameters: a whole number from 0. Default 42. */
  readonly seed?: number
}
/** What frozen weights can be kept in. */
export type WeightEncoding = "f32" | "bf16" | "f16"

/** Options of {@link load}. */
export interface LoadOptions extends InitializeOptions {
  /**
   * What the base's frozen matrices (two and more axes) are kept in; all else, and all that trains, is f32. `"stored"`:
   * what the file has, so that one in bf16 or f16 takes half the memory and loses nothing. Else each is rounded to the
   * nearest; a number beyond the range of f16 is an error. Products and sums are f32 in any case. Default `"stored"`.
   */
  readonly weights?: "stored" | WeightEncoding
  /**
   * A classifier's head of the files: kept (`"stored"`; it must be for the task's labels), or left out so that one starts
   * `"new"`. What lies before it (a pooler) is kept in both cases. Default `"stored"`.
   */
  readonly head?: "stored" | "new"
}

/** {@link InitializeOptions} as a table. */
export const INITIALIZE_OPTIONS: OptionTable<InitializeOptions> = {
  task: { required: true } as Field<TaskOf> & { readonly required: true },
  seed: field.integer({ minimum: 0, default: 42, doc: "Seed of new parameters" }),
}

/** {@link LoadOptions} as a table. */
export const LOAD_OPTIONS: OptionTable<LoadOptions> = {
  ...INITIALIZE_OPTIONS,
  weights: field.choice(["stored", "f32", "bf16", "f16"], {
    default: "stored",
    doc: "Number format of frozen matrices; stored: as in the file",
  }),
  head: field.choice(["stored", "new"], {
    default: "stored",
    doc: "Keep the model's own classifier, or start a new one",
  }),
}

/** Checks options and fills in defaults. Throws {@link ModelError} that names every wrong one. */
export function resolveLoad<Options extends object>(table: OptionTable<Options>, options: Options): Resolved<Options> {
  const faults = faultsOf(table, options)
  if (faults.length === 0) return withDefaults(table, options)
  throw new ModelError({ reason: "Options", message: faults.map(({ message }) => message).join("; ") })
}
