/**
 * Checkpoints of models, merged or not, and files of plugins. Loaded when files are written or methods are merged.
 * @module
 */
export { loadAdapters, saveAdapters } from "./adapter_files.ts"
export { merge, saveMerged } from "./merge_weights.ts"
export { saveGguf } from "./gguf/save_gguf.ts"
export { writeCheckpoint } from "./write_checkpoint.ts"
