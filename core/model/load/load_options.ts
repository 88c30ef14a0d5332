import { faultsOf, withDefaults } from "../../options/check.ts"
import type { Field, Resolved, Table } from "../../options/field.ts"
import * as field from "../../options/fields.ts"
import type { Storage } from "../../tensor/dtype.ts"
import { ModelError } from "../model_error.ts"
import type { Task } from "../task.ts"

/** Options of {@link initialize}. */
export interface InitializeOptions {
  /** What the model is for. */
  readonly task: Task
  /** Seed of new parameters: a whole number from 0. Default 42. */
  readonly seed?: number
}
/** Options of {@link load}. */
export interface LoadOptions extends InitializeOptions {
  /**
   * What the base's frozen matrices (two and more axes) are kept in; all else, and all that trains, is f32. `"stored"`:
   * what the file has, so that one in bf16 or f16 takes half the memory and loses nothing. Else each is rounded to the
   * nearest; a number beyond the range of f16 is an error. Products and sums are f32 in any case. Default `"stored"`.
   */
  readonly weights?: "stored" | Storage
  /**
   * A classifier's head of the files: kept (`"stored"`; it must be for the task's labels), or left out so that one starts
   * `"new"`. What lies before it (a pooler) is kept in both cases. Default `"stored"`.
   */
  readonly head?: "stored" | "new"
}

/** {@link InitializeOptions} as a table. */
export const INITIALIZE_OPTIONS: Table<InitializeOptions> = {
  task: { required: true } as Field<Task> & { readonly required: true },
  seed: field.integer({ minimum: 0, default: 42, description: "Seed of new parameters" }),
}

/** {@link LoadOptions} as a table. */
export const LOAD_OPTIONS: Table<LoadOptions> = {
  ...INITIALIZE_OPTIONS,
  weights: field.choice(["stored", "f32", "bf16", "f16"], {
    default: "stored",
    description: "What frozen matrices are kept in; stored: what the file has",
  }),
  head: field.choice(["stored", "new"], {
    default: "stored",
    description: "The model's own classifier, or a new one for other labels",
  }),
}

/** Checks options and fills in defaults. Throws {@link ModelError} that names every wrong one. */
export function resolveLoad<Options extends object>(table: Table<Options>, options: Options): Resolved<Options> {
  const faults = faultsOf(table, options)
  if (faults.length === 0) return withDefaults(table, options)
  throw new ModelError({ reason: "Options", message: faults.map(({ message }) => message).join("; ") })
}
