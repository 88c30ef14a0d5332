import * as Effect from "effect/Effect"
import { attempt } from "../../../core/contracts/attempt.ts"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import { decodeLoraConfig, firstParts, openTensors, readAdapter, wholeModules } from "../../peft_format/mod.ts"
import { adapterFile, CONFIG_FILE, HEADS, PeftError, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import type { Origin } from "../options.ts"
import type { Saved } from "../saved.ts"
import { baseChanges } from "./base_changes.ts"

/** A saved adapter: its options, what its files say beside them, and the files. */
export const readSaved = Effect.fnUntraced(function* (directory: string, name: string) {
  const files = yield* readAdapter(directory, name)
  const [file, weights] = [CONFIG_FILE, WEIGHTS_FILE].map((file) => adapterFile(name, file))
  const { config, names } = yield* attempt(() => ({
    config: decodeLoraConfig(new TextDecoder().decode(files[file]), `${directory}/${file}`),
    names: [...openTensors(files[weights], `${directory}/${weights}`).shapes.keys()],
  }), PeftError)
  const { taskType, baseModel: _, notes = [], ensureWeightTying, ...options } = config
  // PEFT names heads of all families.
  const modulesToSave = options.modulesToSave.filter((module) => !HEADS.includes(module))
  const folders = [...(name === "default" ? [] : [`${directory}/${name}`]), directory]
  const tokenizers = yield* Effect.filter(folders, (folder) => pathExists(`${folder}/tokenizer.json`))
  const origin: Origin = {
    parts: firstParts(names),
    whole: wholeModules(names),
    ...(tokenizers.length === 0 ? {} : { tokenizer: tokenizers[0] }),
    notes,
    ...(taskType === undefined ? {} : { taskType }),
    ...(ensureWeightTying === undefined ? {} : { ensureWeightTying }),
  }
  const saved: Saved = { files, changes: (options, modules, tied) => baseChanges(options, files, modules, tied) }
  return { options: { ...options, modulesToSave, name }, origin, saved }
})
