import * as Effect from "effect/Effect"
import { attempt } from "../../../core/contracts/attempt.ts"
import { pathExists } from "../../../core/formats/files/path_exists.ts"
import { decodeLoraConfig, firstParts, openTensors, readAdapter, wholeModules } from "../../peft_format/mod.ts"
import { adapterFile, CONFIG_FILE, HEADS, PeftError, peftError, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import type { ArtifactFiles } from "../../../core/contracts/contribution.ts"
import type { LoraOptions, Origin } from "../options.ts"
import type { VariantFields } from "../variant.ts"
import type { Saved } from "../saved.ts"
import { baseChanges } from "./base_changes.ts"

/** What a person should know of an adapter that is read as LoRA itself, whatever its fields of variants say. */
function plainNotes({ useQalora, loftq }: VariantFields, file: string): ReadonlyArray<string> {
  return [
    ...(useQalora
      ? [
        `${file}: use_qalora is on, and its tensors are those of plain LoRA, which PEFT trains where layers are not GPTQ's: ` +
        "it is taken so",
      ]
      : []),
    ...(loftq === undefined ? [] : [
      `${file}: it started by LoftQ from a base in ${loftq.encoding}: quantize the base so, or it is another function`,
    ]),
  ]
}

/** What {@link readSaved} gives, and where the files say that the base was loaded from; empty for nowhere. */
export interface SavedFiles {
  readonly options: LoraOptions
  readonly origin: Origin
  readonly saved: Saved
  readonly fields: VariantFields
  readonly baseModel: string
}

/**
 * A saved adapter: its options, what its files say beside them, the files, and their fields of variants.
 *
 * @param plain Whether it is read as LoRA itself, whatever those fields say.
 */
export const readSaved = Effect.fnUntraced(function* (directory: string, name: string, plain: boolean) {
  const files = yield* readAdapter(directory, name)
  const folders = [...(name === "default" ? [] : [`${directory}/${name}`]), directory]
  const [tokenizer] = yield* Effect.filter(folders, (folder) => pathExists(`${folder}/tokenizer.json`))
  return yield* attempt(() => savedIn(files, { directory, name, plain, tokenizer }), PeftError)
})

/** The same of files in memory. Throws PeftError. */
export function savedIn(
  files: ArtifactFiles,
  { directory, name, plain, tokenizer }: {
    /** Names them in errors. */
    readonly directory: string
    readonly name: string
    readonly plain: boolean
    readonly tokenizer?: string | undefined
  },
): SavedFiles {
  const [file, weights] = [CONFIG_FILE, WEIGHTS_FILE].map((file) => adapterFile(name, file))
  const config = decodeLoraConfig(new TextDecoder().decode(files[file]), `${directory}/${file}`)
  const names = [...openTensors(files[weights], `${directory}/${weights}`).shapes.keys()]
  const { taskType, baseModel, notes = [], ensureWeightTying, ...own } = config
  const { useQalora, qaloraGroupSize, qaloraPooling, loftq, initLoraWeights: start, ...options } = own
  const fields: VariantFields = {
    ...(useQalora === undefined ? {} : { useQalora }),
    ...(qaloraGroupSize === undefined ? {} : { qaloraGroupSize }),
    ...(qaloraPooling === undefined ? {} : { qaloraPooling }),
    ...(loftq === undefined ? {} : { loftq }),
    ...(start === "loftq" ? { initLoraWeights: start } : {}),
  }
  if (plain && start === "loftq") {
    throw peftError(
      "Unsupported",
      `${directory}/${file}`,
      "it counts from a base that LoftQ changed: load it with " +
        "QLora.fromPeft, which makes that base again",
    )
  }
  // PEFT names heads of all families.
  const modulesToSave = options.modulesToSave.filter((module) => !HEADS.includes(module))
  const origin: Origin = {
    parts: firstParts(names),
    whole: wholeModules(names),
    ...(tokenizer === undefined ? {} : { tokenizer }),
    notes: [...notes, ...(plain ? plainNotes(fields, `${directory}/${file}`) : [])],
    ...(taskType === undefined ? {} : { taskType }),
    ...(ensureWeightTying === undefined ? {} : { ensureWeightTying }),
  }
  const saved: Saved = { files, changes: (options, modules, tied) => baseChanges(options, files, modules, tied) }
  const initLoraWeights = start === "loftq" ? true : start
  return { options: { ...options, initLoraWeights, modulesToSave, name }, origin, saved, fields, baseModel }
}
