/**
 * All that turns a file's bytes into rows. Loaded when a file is read.
 * @module
 */
export { fileText } from "./file_text.ts"
export { parseTable } from "./delimited/parse_table.ts"
