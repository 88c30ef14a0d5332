/**
 * Serves models over HTTP in the manner of OpenAI and vLLM: routes as a layer of `effect/http`, over models that were loaded or
 * trained here.
 *
 * @module
 */
export { layer } from "./layer.ts"
export { SERVER_OPTIONS as serverOptions, type ServerOptions } from "./options.ts"
export { ApiError, type ApiErrorFields } from "./requests/api_error.ts"
export { makePlaces, type Places } from "./requests/places.ts"
export type { AdapterSlots, AnswerOptions, AnswerPiece, Read, Reads, ScoredToken, Served, Writes } from "./served.ts"
export { classifier, embedder, type ReaderOptions } from "./texts/reader.ts"
export { type NameOptions } from "./writer/name_options.ts"
