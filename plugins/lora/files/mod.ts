/**
 * An adapter's files, in PEFT's format. Loaded when there are some to be read or written.
 * @module
 */
export { load } from "./load.ts"
export { readSaved, type SavedFiles, savedIn } from "./read_saved.ts"
export { save } from "./save.ts"
