import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import { type Columns, type DatasetOptions, formatOf, type Reader } from "../tasks/dataset.ts"
import { withDefaults } from "../options/check.ts"
import type { Resolved } from "../options/field.ts"
import type { TrainOptions } from "../training/options.ts"
import { columnsOf, type Kind } from "./columns.ts"
import type { MethodSpec } from "./methods.ts"
import { DATA, MODEL, type ModelSpec, type RunSpec, TRAINING } from "./run_spec.ts"

/** A run with its defaults. */
export interface ResolvedRun {
  /** The base model. */
  readonly model: Resolved<ModelSpec>
  /** The data's file. */
  readonly data: string
  /** Columns of the data. */
  readonly columns: Columns
  /** How the file is read; labels, if they are given. */
  readonly reading: DatasetOptions
  /** Share of the rows for validation. */
  readonly validation: number
  /** Share of the rows for the test. */
  readonly test: number
  /** Task. Default: given by the columns. */
  readonly task?: Kind
  /** Methods. */
  readonly methods: ReadonlyArray<MethodSpec>
  /** Options of training. */
  readonly training: TrainOptions & { readonly maxLength: number }
  /** Stop after this many evaluations without progress. Default: never. */
  readonly patience?: number
  /** Seed of split, new weights and order. */
  readonly seed: number
  /** The run folder. */
  readonly output: string
}

/**
 * Fills in the defaults of a run that has no problems.
 *
 * @param folder Base of relative paths. Default: the current directory.
 * @param readers Readers beside those of this package. Default: none.
 */
export function resolveRun(
  run: RunSpec,
  folder = "",
  readers: ReadonlyArray<Reader> = [],
): Effect.Effect<ResolvedRun, never, Path.Path> {
  return Effect.map(Effect.service(Path.Path), (path) => {
    const at = (place: string) => path.isAbsolute(place) || folder === "" ? place : path.join(folder, place)
    const { task, methods, seed = 42, output } = run
    const model = withDefaults(MODEL, run.model)
    const { path: data, validation, test, ...given } = withDefaults(DATA, run.data)
    const { text, label, separator, prompt, completion, words, tags, ...reading } = given
    const { patience, ...training } = withDefaults(TRAINING, run.training ?? {})
    return {
      model: { ...model, path: at(model.path) },
      data: at(data),
      columns: columnsOf(
        data,
        task,
        { text, label, separator, prompt, completion, words, tags },
        reading.format ?? formatOf(data, readers),
      ),
      reading: { ...reading, ...readers.length === 0 ? {} : { readers } },
      validation,
      test,
      ...task === undefined ? {} : { task },
      methods,
      training,
      ...patience === undefined ? {} : { patience },
      seed,
      output: at(output),
    }
  })
}
