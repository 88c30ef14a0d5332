/**
 * Hugging Face PEFT's files: `adapter_config.json` and `adapter_model.safetensors`, as PEFT 0.21 writes and reads them.
 * PEFT's spellings of names exist here alone.
 * @module
 */
export {
  decodeWeights,
  encodeWeights,
  openAdapterWeights,
  peftNames,
  wantedWeights,
  type WeightsContext,
} from "./adapter_weights.ts"
export { adapterFault, toAdapterFault } from "./adapter_fault.ts"
export { decodeAllWeights } from "./all_weights.ts"
export { initTokens } from "./lora/init_text.ts"
export { linearRows } from "./lora/linear_rows.ts"
export {
  decodeLoraConfig,
  encodeLoraConfig,
  type GroupPooling,
  type LoftqBase,
  type PeftLoraConfig,
} from "./lora/lora_config.ts"
export { nearest } from "../../core/formats/json/nearest.ts"
export {
  decodePromptConfig,
  encodePromptConfig,
  type PeftPromptConfig,
  type PeftPromptFields,
  PROMPT_TASKS,
} from "./prompt/prompt_config.ts"
export {
  decodePrompt,
  encodePrompt,
  ENCODER_FILE,
  promptBaseName,
  type PromptValues,
  type WantedPrompt,
} from "./prompt/prompt_files.ts"
export {
  inputPrefixFields,
  type ModelFields,
  promptContribution,
  promptContributionFor,
  type PromptMethod,
  type SavedPrompt,
} from "./prompt/prompt_method.ts"
export { PROMPT_BANK_OPTIONS, promptBank, type PromptBankOptions } from "./prompt/prompt_bank.ts"
export { tokenEmbeddings } from "./prompt/token_embeddings.ts"
export { readAdapter } from "./lora/read_adapter.ts"
export { firstParts, wholeModules } from "./lora/stored_names.ts"
export { readPrompt } from "./prompt/read_prompt.ts"
export { decodeTensors, encodeTensors, type FileTensor, openTensors, type StoredTensors } from "./tensors.ts"
