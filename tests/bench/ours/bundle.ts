/**
 * What the bench bundles: all of core with LoRA and Llama.
 * @module
 */
export * from "../../../mod.ts"
export * as Llama from "../../../plugins/llama/mod.ts"
export * as Lora from "../../../plugins/lora/mod.ts"
