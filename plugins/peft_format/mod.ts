/**
 * Hugging Face PEFT's files: `adapter_config.json` and `adapter_model.safetensors`, as PEFT 0.21 writes and reads them.
 * PEFT's spellings of names exist here alone.
 * @module
 */
export { decodeWeights, encodeWeights, peftNames } from "./adapter_weights.ts"
export { HEADS, isHead } from "./heads.ts"
export { decodeLoraConfig, encodeLoraConfig, type PeftLoraConfig, type PeftTaskType } from "./lora_config.ts"
export { PeftError, type PeftErrorFields } from "./peft_error.ts"

/** Name of the config's file. */
export const CONFIG_FILE: string = "adapter_config.json"
/** Name of the weights' file. */
export const WEIGHTS_FILE: string = "adapter_model.safetensors"

/** Where an adapter's file lies: an adapter named `default` at the top, any other in a folder of its name. */
export function adapterFile(adapter: string, file: string): string {
  return adapter === "default" ? file : `${adapter}/${file}`
}
