/**
 * Models: loading and making them, their adapters, checkpoints and soups, and the texts that they generate.
 * @module
 */
export * from "../model/mod.ts"
export type { Engine, EngineOptions, NewToken, RowOptions } from "./engine.ts"
export { generate, type GenerateError, type GenerateOptions } from "./generate.ts"
export { engine } from "./open_engine.ts"
export type { Constraint } from "./constraints/constraint.ts"
export type { SamplingOptions } from "./sampler.ts"
export type { Alternative, ProbabilityOptions, TokenProbabilities } from "./token_probabilities.ts"
