import { adapterFile, CONFIG_FILE, type PeftError, peftError } from "../peft_names/mod.ts"
import type { LoraInitialization, SavedAdapter } from "../lora/mod.ts"
import type { Groups } from "./pooled_update.ts"

/**
 * The groups of a saved adapter: as its config says, or as the caller does where it says nothing. Throws {@link PeftError}
 * where neither says which function the numbers are.
 */
export function groupsOf(
  { fields, options }: SavedAdapter,
  given: Partial<Groups>,
  directory: string,
): Groups {
  const { name = "default", useDora, bias = "none", initLoraWeights = true } = options
  const file = `${directory}/${adapterFile(name, CONFIG_FILE)}`
  const { qaloraPooling = given.pooling, qaloraGroupSize = given.groupSize } = fields
  const differs = ([field, stored, wanted]: readonly [string, unknown, unknown]): PeftError | undefined =>
    wanted === undefined || wanted === stored
      ? undefined
      : peftError("Mismatch", file, `${field} is ${stored}, not ${wanted}: leave the option out, and the file's counts`)
  if (qaloraGroupSize === undefined) {
    throw peftError(
      "Config",
      file,
      "use_qalora is not on: load a plain LoRA adapter with Lora.fromPeft; of one that the authors' code saved, give " +
        'groupSize (32 there) and pooling ("mean" there)',
    )
  }
  if (qaloraPooling === undefined) {
    throw peftError(
      "Config",
      file,
      "it does not say what A reads of a group, and its numbers are another function under each: give pooling, " +
        '"sum" (the paper), "mean" (the authors\' code) or "peft"',
    )
  }
  const other = useDora ? "use_dora" : bias !== "none" ? `bias "${bias}"` : startOf(initLoraWeights)
  if (other !== undefined) throw peftError("Unsupported", file, `${other} is not known with use_qalora`)
  const wrong = differs(["qalora_pooling", qaloraPooling, given.pooling]) ??
    differs(["qalora_group_size", qaloraGroupSize, given.groupSize])
  if (wrong !== undefined) throw wrong
  return { groupSize: qaloraGroupSize, pooling: qaloraPooling }
}

/** A start that changes what the numbers count from; undefined for others. */
function startOf(start: LoraInitialization): string | undefined {
  return typeof start === "boolean" || start === "gaussian" ? undefined : `init_lora_weights "${start}"`
}
