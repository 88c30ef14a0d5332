/**
 * Names in Hugging Face PEFT's files, of files, heads, tasks and tensors, and the error of such files. What reads and writes
 * them is `peft_format`.
 * @module
 */
export { adapterFile, CONFIG_FILE, WEIGHTS_FILE } from "./adapter_file.ts"
export { type BaseName, baseName } from "./base_name.ts"
export { HEADS, isHead, isHeldWhole } from "./heads.ts"
export { PeftError, peftError, type PeftErrorFields } from "./peft_error.ts"
export { adapterPath, hasIdlePooler, isBare, POOLER, PREFIX } from "./adapter_path.ts"
export { PEFT_TASK_TYPES, type PeftTaskType, peftTaskType } from "./task_type.ts"
