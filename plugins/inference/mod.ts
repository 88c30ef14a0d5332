/**
 * Inference with promises, for pages and for programs without Effect: a model from an address, from files or from a folder of
 * the browser's, with LoRA adapters that are switched from call to call, on WebGPU or on the CPU. It holds no training code.
 *
 * ```ts
 * import { load } from "@espalier/espalier/inference"
 *
 * export async function ask(page: Blob, write: (piece: string) => void): Promise<void> {
 *   const model = await load("https://example.org/smollm2/", { progress: ({ address, loaded }) => console.log(address, loaded) })
 *   await model.adapter("support", page)
 *   const messages = [{ role: "user", content: "Where is my parcel?" }]
 *   for await (const piece of model.generate(messages, { adapter: "support", maxNewTokens: 100 })) write(piece)
 *   await model.free()
 * }
 * ```
 *
 * A classifier answers with `classify`, every model gives embeddings with `embed`; an `AbortSignal` stops each of them.
 *
 * @module
 */
export { load } from "./load.ts"
export type { LoadedModel } from "./loaded_model.ts"
export type {
  AdapterOptions,
  BankOptions,
  CallOptions,
  ClassifyOptions,
  EmbedOptions,
  GenerateOptions,
  LoadOptions,
} from "./options.ts"
export { InferenceError, type InferenceReason } from "./inference_error.ts"
export type { FetchEvent, FetchOptions } from "./files/fetch_file.ts"
export type { FileContent, FileHandle, Files, FolderHandle } from "./files/place_of.ts"
export type { Message } from "../chat/mod.ts"
export type { BackendChoice } from "../../core/backend/auto.ts"
export type { WasmOptions } from "../../core/backend/wasm/backend.ts"
export type { SamplingOptions } from "../../core/inference/sampler.ts"
export type { Prediction } from "../../core/tasks/task.ts"
