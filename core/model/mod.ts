/**
 * Models: loading and making them, their adapters, checkpoints and soups.
 * @module
 */
export type { FoldedWeight, ForwardOptions, Model, ModelParameter, ViewOptions } from "./model.ts"
export { readParameters, writeParameters } from "./sites/adapters.ts"
export type { Choice } from "./sites/choice.ts"
export { chooseByRow, type RowChoice } from "./sites/choose_by_row.ts"
export { headLabels } from "./head_labels.ts"
export { initialize, load, type LoadError } from "./load/load.ts"
export type { SharedNetwork } from "./heads/join_networks.ts"
export type { ModelTask } from "./heads/model_task.ts"
export type { InitializeOptions, LoadOptions, TaskOptions } from "./load/load_options.ts"
export { merge, saveMerged } from "./merge.ts"
export type { ResolvedSite } from "./sites/sites.ts"
export { loadAdapters, saveAdapters, saveCheckpoint } from "./model_files.ts"
export type { MergeOptions, SaveMergedOptions } from "./save/merge_weights.ts"
export type { CheckpointOptions } from "./save/write_checkpoint.ts"
export { soup } from "../weights/soup.ts"
export type { SoupIngredient, SoupOptions } from "../weights/average_checkpoints.ts"
export type { AveragedTensor, SoupReport } from "../weights/average_tensors.ts"
