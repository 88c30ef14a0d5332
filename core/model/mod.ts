/**
 * Models: loading and making them, their adapters, checkpoints and soups.
 * @module
 */
export type { ForwardOptions, Model, ModelParameter } from "./model.ts"
export { loadAdapters, readParameters, saveAdapters, writeParameters } from "./adapters.ts"
export type { Choice } from "./choice.ts"
export { chooseByRow, type RowChoice } from "./choose_by_row.ts"
export { headLabels } from "./head_labels.ts"
export { initialize, type InitializeOptions, load, type LoadError, type LoadOptions } from "./load.ts"
export type { ResolvedSite } from "./sites.ts"
export { type CheckpointOptions, saveCheckpoint } from "./save_checkpoint.ts"
export { soup, type SoupIngredient, type SoupOptions, type SoupReport } from "./soup.ts"
export type { AveragedTensor } from "./average_tensors.ts"
