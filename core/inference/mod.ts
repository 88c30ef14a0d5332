/**
 * Models: loading and making them, their adapters, checkpoints and soups, and the texts that they generate.
 * @module
 */
export * from "../model/mod.ts"
export { AdapterError, type AdapterErrorFields } from "../contracts/bank/adapter_error.ts"
export type { AdapterFiles, BankContext, BankMethod, BankValues } from "../contracts/bank/bank_method.ts"
export type { AdapterBank, BankAdapter, LoadAdapterOptions, TakenSlots } from "../model/sites/adapter_bank.ts"
export { type ModelWithAdapters, withAdapters } from "./bank/open_bank.ts"
export type { Engine, EngineOptions, NewToken, RowOptions } from "./engine.ts"
export { beams, type BeamsOptions } from "./beams/beams.ts"
export type { BeamOptions, Found } from "./beams/beam_search.ts"
export { generate, type GenerateError, type GenerateOptions } from "./generate.ts"
export { engine } from "./open_engine.ts"
export type { Constraint } from "./constraints/constraint.ts"
export type { SamplingOptions } from "./sampler.ts"
export type { Alternative, ProbabilityOptions, TokenProbabilities } from "./token_probabilities.ts"
