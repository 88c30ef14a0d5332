/**
 * Training runs as plain data, for files and sweeps, checked by the tables of options. A program
 * passes the methods that a run may name, and readers beside those of this package.
 *
 * ```ts
 * import { runProblems } from "@espalier/espalier/run"
 * import * as Adapters from "@espalier/espalier/adapters"
 *
 * const run = { model: { path: "m" }, data: { path: "d.csv" }, methods: [{ method: "adapters", dropout: 1 }], output: "runs/d" }
 * const problems = runProblems(run, { adapters: Adapters })
 * console.log(problems) // ["methods[0].dropout must be a number from 0 and below 1, got 1"]
 * ```
 *
 * @module
 */
import { type JsonSchema, jsonSchema } from "../options/json_schema.ts"
import type { Reader } from "../data/readers/reader.ts"
import type { RunMethods } from "./methods.ts"
import { runTable } from "./run_spec.ts"

export { checkOutput, clearOutput, type OutputOptions } from "./execute/output_folder.ts"
export type { Finding, Review, Reviewed } from "./execute/review.ts"
export type { RunOptions } from "./execute/run_options.ts"
export type { Tell } from "./execute/tell.ts"
export type { Divided, ReadError, TaskPart } from "./execute/task_part.ts"
export { evaluateSaved, type RunError, type RunServices, type TrainedRun, trainRun } from "./execute/train_run.ts"
export { type ColumnNames, columnsOf, type Kind, KINDS, taskOf } from "./columns.ts"
export { layersOf, type MethodLayer, type MethodSpec, type RunMethod, type RunMethods } from "./methods.ts"
export { decodeRunFile, readRunFile, RunFileError, type RunFileErrorFields, runProblems } from "./read_run_file.ts"
export { type ResolvedData, type ResolvedRun, resolveRun } from "./resolve_run.ts"
export {
  DATA,
  type DataSpec,
  formatField,
  type GroupWords,
  MODEL,
  type ModelSpec,
  type OldRowsSpec,
  type RunSpec,
  runTable,
  type TaskSpec,
  TRAINING,
  type TrainingSpec,
} from "./run_spec.ts"
export type { Point, Series } from "../report/line_chart.ts"
export type { ReportSection } from "../report/report_section.ts"
export type { EvaluateError, Evaluation } from "../training/evaluate.ts"
export { type Forecast, forecast } from "../training/forecast.ts"
export type { RunAccount } from "../training/run_folder/run.ts"
export type { Fault, Field, Fields, OptionTable, Resolved } from "../options/field.ts"
export { generalText } from "../tasks/general/general_text.ts"
export type * from "../tasks/dataset/dataset.ts"
export type { ReadOptions } from "../data/table/read_options.ts"
export type { TextOptions } from "../data/table/text_options.ts"
export type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
export type { Optimizer, UpdateContext, Updated } from "../training/optimizers/optimizer.ts"
export type { Cadence, EarlyStopping, TrainOptions } from "../training/options.ts"
export type { Schedule } from "../training/optimizers/schedule.ts"
export type { JsonSchema }

/** The JSON Schema of a run file, for editors. */
export function runSchema(methods: RunMethods, readers: ReadonlyArray<Reader> = []): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A run of Espalier",
    ...jsonSchema(runTable(methods, readers)),
  }
}
