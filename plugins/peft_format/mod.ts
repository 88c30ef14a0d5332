/**
 * Hugging Face PEFT's files: `adapter_config.json` and `adapter_model.safetensors`, as PEFT 0.21 writes and reads them.
 * PEFT's spellings of names exist here alone.
 * @module
 */
export { adapterFile, CONFIG_FILE, WEIGHTS_FILE } from "./adapter_file.ts"
export { decodeWeights, encodeWeights, openAdapterWeights, peftNames, type WeightsContext } from "./adapter_weights.ts"
export { decodeAllWeights } from "./all_weights.ts"
export { HEADS, isHead } from "./heads.ts"
export { initTokens } from "./lora/init_text.ts"
export { linearRows } from "./lora/linear_rows.ts"
export { decodeLoraConfig, encodeLoraConfig, type PeftLoraConfig } from "./lora/lora_config.ts"
export { nearest } from "../../core/formats/json/nearest.ts"
export { PeftError, type PeftErrorFields } from "./peft_error.ts"
export {
  decodePromptConfig,
  encodePromptConfig,
  type PeftPromptConfig,
  type PeftPromptFields,
} from "./prompt/prompt_config.ts"
export {
  decodePrompt,
  encodePrompt,
  ENCODER_FILE,
  promptBaseName,
  type PromptValues,
  type WantedPrompt,
} from "./prompt/prompt_files.ts"
export { type ModelFields, promptContribution, type PromptMethod, type SavedPrompt } from "./prompt/prompt_method.ts"
export { readAdapter } from "./lora/read_adapter.ts"
export { readPrompt } from "./prompt/read_prompt.ts"
export { adapterPath, firstParts, hasIdlePooler, isBare, PREFIX, wholeModules } from "./lora/stored_names.ts"
export { PEFT_TASK_TYPES, type PeftTaskType, peftTaskType } from "./task_type.ts"
export { decodeTensors, encodeTensors, type FileTensor, openTensors, type StoredTensors } from "./tensors.ts"
