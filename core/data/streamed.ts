/**
 * The code of data sets that are read while a model trains. Loaded with the first of them.
 * @module
 */
export { makeStreamSource } from "./batches/stream_source.ts"
export { divide } from "./split/divide_stream.ts"
export { openChunks } from "./batches/open_chunks.ts"
