/**
 * Run folders, loaded with the first run that has one.
 * @module
 */
export { fingerprint } from "./fingerprint.ts"
export { openRunFolder } from "./run_folder.ts"
export { makeRunCheckpoints } from "./run_checkpoints.ts"
