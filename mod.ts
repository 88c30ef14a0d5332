/**
 * Espalier fine-tunes language models in TypeScript: on the CPU at native speed through WebAssembly, or on WebGPU; without
 * Python and without a native install. Methods and model families are plugins, composed as Effect layers; adapters leave
 * in the formats that people already use.
 *
 * ```ts
 * import * as Console from "effect/Console"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { Dataset, Espalier, Model, Task, Trainer } from "@espalier/espalier"
 * import * as Llama from "@espalier/espalier/llama"
 * import * as Lora from "@espalier/espalier/lora"
 *
 * const program = Effect.gen(function* () {
 *   const data = yield* Dataset.tsv("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" }).pipe(
 *     Dataset.split({ validation: 0.1, test: 0.1, seed: 7 }),
 *   )
 *   const model = yield* Model.load("examples/models/espalier-1m", { task: Task.classification(data.labels) })
 *   const run = yield* Trainer.fit(model, data, { maxSteps: 20, learningRate: 2e-3, maxLength: 64 })
 *   const { metrics } = yield* Trainer.evaluate(run.model, data.test, { maxLength: 64 })
 *   yield* Console.log(metrics)
 *   yield* run.save("runs/adapter")
 * })
 *
 * const Methods = Layer.mergeAll(Lora.layer({ r: 8, loraAlpha: 16 }), Llama.layer)
 * const Main = Methods.pipe(Layer.provideMerge(Espalier.layer))
 *
 * await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Main)))
 * ```
 *
 * @module
 */
export * as Dataset from "./core/tasks/dataset/dataset.ts"
export * as Espalier from "./core/training/espalier.ts"
export * as Model from "./core/inference/mod.ts"
export * as Trainer from "./core/training/trainer.ts"
export * as Tokenizer from "./core/data/tokenizer_files/load_tokenizer.ts"
export * as Families from "./core/model/load/families.ts"
export * as Weights from "./core/weights/mod.ts"
export * as Plugins from "./core/contracts/plugins.ts"
export * as ops from "./core/tensor/ops.ts"
export { Task } from "./core/tasks/builtin.ts"
export type * from "./core/tasks/task.ts"
export type { CausalLMTask } from "./core/tasks/causal_lm.ts"
export type { ClassificationTask } from "./core/tasks/classification.ts"
export type { MaskedLMTask } from "./core/tasks/masked_lm.ts"
export type { MultiLabelClassificationTask } from "./core/tasks/multi_label_classification.ts"
export type { RegressionTask } from "./core/tasks/regression.ts"
export type { Seq2SeqTask } from "./core/tasks/seq2seq.ts"
export type { SpanCorruptionTask, SpanOptions } from "./core/tasks/span_corruption.ts"
export type { TokenClassificationTask } from "./core/tasks/token_classification.ts"
export type { BatchSpec } from "./core/data/batches/batches.ts"
export type { Drawn, EncodedRow, Fields, Found, Pieces } from "./core/data/pieces/pieces.ts"
export type { EncodeOptions, Encoding, FieldExtent, FieldSpec, RowEncoder } from "./core/data/data.ts"
export type { Example } from "./core/data/encode.ts"
export * from "./core/backend/backend.ts"

export type * from "./core/model/module.ts"
export type * from "./core/model/network.ts"
export type { CheckpointFormat, FormatError, FormatFamily } from "./core/weights/checkpoint_format.ts"
export type { ModelTokenizer, ModelTokenizers } from "./core/weights/model_tokenizers.ts"
export type { GgufCut, GgufTokenizers } from "./core/weights/gguf/gguf_names.ts"
export type { GgmlType } from "./core/formats/gguf/ggml_types.ts"
export type * from "./core/formats/gguf/gguf_types.ts"
export type { GgufDialect, GgufDialects } from "./core/weights/gguf/gguf_dialect.ts"
export type { NamePattern } from "./core/weights/name_pattern.ts"
export type { StoredTensor } from "./core/weights/stored_tensor.ts"
export type { StoredDType } from "./core/formats/safetensors/stored_dtype.ts"
export type { TensorEntry } from "./core/formats/safetensors/safetensors_header.ts"
export type { PieceMemory } from "./core/formats/files/piece_memory.ts"
export type { PackedRows } from "./core/weights/packed_rows.ts"
export type { LazyTensor, WeightTransform } from "./core/weights/weight_transform.ts"
export type { Ties, WeightMap, WeightRule } from "./core/weights/weight_map.ts"
export type { WeightEncoding } from "./core/model/load/load_options.ts"
export type {
  ClassificationMetrics,
  ClassScores,
  ConfusionMatrix,
} from "./core/tasks/measures/classification_metrics.ts"
export {
  ConfigReader,
  type FieldOptions,
  type NumberFieldOptions,
  type StringFieldOptions,
} from "./core/formats/json/model_config.ts"

export type { AdapterBank, BankAdapter, LoadAdapterOptions, TakenSlots } from "./core/model/sites/adapter_bank.ts"
export type * from "./core/contracts/bank/bank_method.ts"
export type { SiteTable } from "./core/model/sites/sites.ts"
export type { EngineStatistics } from "./core/inference/engine.ts"
export type * from "./core/contracts/batch_source.ts"
export type * from "./core/contracts/contribution.ts"
export type * from "./core/contracts/gradient_transform.ts"
export type * from "./core/contracts/head.ts"
export type * from "./core/contracts/module_info.ts"
export type * from "./core/contracts/objective.ts"
export type * from "./core/contracts/parameter.ts"
export type * from "./core/contracts/site.ts"
export type * from "./core/contracts/train_event.ts"
export type { Rng } from "./core/tensor/operations/random.ts"
export type { Shape } from "./core/tensor/shape.ts"
export {
  type Attributes,
  type Box,
  node,
  type Numbers,
  type Operation,
  type Range,
  type Strided,
  type Tensor,
} from "./core/tensor/tensor.ts"
export type * from "./core/graph/program.ts"
export type * from "./kernels/contract.ts"

export { BackendError, type BackendErrorFields } from "./core/backend/backend_error.ts"
export { DataError, type DataErrorFields } from "./core/data/data_error.ts"
export { ExportError, type ExportErrorFields } from "./core/model/save/check/export_error.ts"
export { GgufError, type GgufErrorFields } from "./core/formats/gguf/gguf_error.ts"
export { JsonError, type JsonErrorFields } from "./core/formats/json/json_error.ts"
export { ModelError, type ModelErrorFields } from "./core/model/model_error.ts"
export { PluginError, type PluginErrorFields } from "./core/contracts/plugin_error.ts"
export { RunFolderError, type RunFolderErrorFields } from "./core/training/run_folder/run_folder_error.ts"
export { SafetensorsError, type SafetensorsErrorFields } from "./core/formats/safetensors/safetensors_error.ts"
export { ShapeError, type ShapeErrorFields } from "./core/tensor/shape_error.ts"
export { SoupError, type SoupErrorFields } from "./core/weights/average/soup_error.ts"
export { StorageError, type StorageErrorFields } from "./core/formats/files/storage_error.ts"
export { TrainingError, type TrainingErrorFields } from "./core/training/training_error.ts"
