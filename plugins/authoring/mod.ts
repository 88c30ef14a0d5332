/**
 * For authors of plugins, besides the types and operations of the main entry point: tables of options, selectors, files of
 * Hugging Face PEFT, derivatives and `checkOperation`; `blocks` for model families; token ids of parts of texts, cells of
 * tables, losses and metrics for tasks.
 *
 * ```ts
 * import { ops } from "@espalier/espalier"
 * import { checkOperation } from "@espalier/espalier/plugin"
 *
 * const { value, derivative } = checkOperation(({ x }) => ops.gelu(x), { x: { shape: [2, 3] } })
 * console.log(value < 1e-12, derivative < 1e-6)
 * ```
 *
 * Guides: the pages `docs/add_a_*.md`, and `examples/third_party`, a whole package.
 *
 * @module
 */
export { type CheckedInput, checkOperation, type OperationDifferences } from "../../core/graph/check_operation.ts"
export { build, type Graph } from "../../core/graph/build.ts"
export type { SlotReference } from "../../core/tensor/operations/leaves.ts"
export { evaluate, evaluateAll, type EvaluateData } from "../../core/graph/evaluate.ts"
export { exampleSquares, scaleExamples } from "../../core/graph/rewrite/example_gradients.ts"
export { type GradientOptions, gradients } from "../../core/graph/rewrite/gradients.ts"
export * as blocks from "../../core/model/blocks/mod.ts"
export { linearByRow } from "../../core/model/sites/linear_by_row.ts"
export { productByRow } from "../../core/model/sites/product_by_row.ts"
export { endsIn, matcher } from "../../core/model/sites/selector.ts"
export {
  checkOptions,
  type Default,
  type Demand,
  demandOf,
  type Fault,
  faultsOf,
  type Field,
  field,
  type Fields,
  type Limits,
  type Made,
  methodName,
  methodOptions,
  mustBe,
  type OptionTable,
  type Resolved,
  type Spec,
  type ValueOf,
  withDefaults,
} from "../../core/options/mod.ts"
export { parseJson } from "../../core/formats/json/json_file.ts"
export { alongBody, type Cutter, cutterOf } from "../../core/data/pieces/pieces.ts"
export { makeMicroBatch } from "../../core/data/batches/batches.ts"
export { cellsOf, cellText } from "../../core/data/table/cells.ts"
export { textKey } from "../../core/data/split/text_keys.ts"
export { classificationMetrics } from "../../core/tasks/measures/classification_metrics.ts"
export { perExample, perToken } from "../../core/tasks/shared/objectives.ts"
export { readFiles } from "../../core/model/save/read_files.ts"
export { decodeTensors, encodeTensors, type FileTensor, nearest } from "../peft_format/mod.ts"
export {
  adapterFile,
  CONFIG_FILE,
  HEADS,
  isHead,
  PEFT_TASK_TYPES,
  PeftError,
  type PeftErrorFields,
  type PeftTaskType,
  peftTaskType,
  WEIGHTS_FILE,
} from "../peft_names/mod.ts"

export type * from "../../core/contracts/module_info.ts"
export type * from "../../core/contracts/site.ts"
