/**
 * The code of the readers. Loaded when a file is read.
 * @module
 */
export { collect, iterate } from "./collect.ts"
export { csv, tsv } from "./delimited.ts"
export { csvFormat, tsvFormat } from "./delimited/in_parts.ts"
export { fileText } from "./file_text.ts"
export { json, jsonLineFormat, jsonLines } from "./json.ts"
export { openLines } from "./lines/open_lines.ts"
export { openSeveral } from "../table/several_files.ts"
export { openText } from "./open_text.ts"
export { plainText, textLineFormat } from "./text.ts"
