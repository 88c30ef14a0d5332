/**
 * Models: loading and making them, their adapters, checkpoints and soups, and the texts that they generate.
 * @module
 */
export * from "../model/mod.ts"
export { type Engine, engine, type EngineOptions, type NewToken, type RowOptions } from "./engine.ts"
export { generate, type GenerateError, type GenerateOptions } from "./generate.ts"
export type { SamplingOptions } from "./sampler.ts"
