/**
 * Models: loading and making them, their adapters, checkpoints and soups.
 * @module
 */
export type { FoldedWeight, ForwardOptions, Model, ModelParameter, ViewOptions } from "./model.ts"
export { loadAdapters, readParameters, saveAdapters, writeParameters } from "./sites/adapters.ts"
export type { Choice } from "./blocks/choice.ts"
export { chooseByRow, type RowChoice } from "./blocks/choose_by_row.ts"
export { headLabels } from "./head_labels.ts"
export { initialize, load, type LoadError } from "./load/load.ts"
export type { SharedNetwork } from "./heads/join_networks.ts"
export type { ModelTask } from "./heads/model_task.ts"
export type { InitializeOptions, LoadOptions, TaskOptions } from "./load/load_options.ts"
export { merge, saveMerged, type SaveMergedOptions } from "./merge.ts"
export type { ResolvedSite } from "./sites/sites.ts"
export { type CheckpointOptions, saveCheckpoint } from "./save_checkpoint.ts"
export { soup, type SoupIngredient, type SoupOptions } from "../weights/soup.ts"
export type { AveragedTensor, SoupReport } from "../weights/average_tensors.ts"
