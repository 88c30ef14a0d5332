/**
 * IA3 in PEFT's files: `adapter_config.json` and `adapter_model.safetensors`.
 * @module
 */
import * as Effect from "effect/Effect"
import {
  type ArtifactContext,
  type ArtifactFiles,
  ConfigReader,
  JsonError,
  type NamedValues,
  type Parameter,
} from "@espalier/espalier"
import {
  adapterFile,
  CONFIG_FILE,
  decodeTensors,
  encodeTensors,
  HEADS,
  parseJson,
  PeftError,
  peftTaskType,
  WEIGHTS_FILE,
} from "@espalier/espalier/plugin"
import type { IA3Options, ResolvedIA3 } from "./ia3.ts"

/** Name of the vector. */
export const VECTOR = "ia3_l"

/** PEFT's name of each parameter; the bias of a module that a vector stands at is its inner module's. */
export function peftNames(parameters: ReadonlyArray<Parameter>): ReadonlyMap<Parameter, string> {
  const wrapped = new Set(parameters.filter(({ owner }) => owner !== "base").map(({ module }) => module))
  return new Map(parameters.map((parameter) => {
    const { owner, module, name } = parameter
    const place = owner === "base" && wrapped.has(module) ? `${module}.base_layer` : module
    return [parameter, `base_model.model.${place}.${name}`]
  }))
}

/** The files of an IA3. */
export function writeFiles(
  options: ResolvedIA3,
  values: ReadonlyArray<NamedValues>,
  { head, baseModel, modules }: ArtifactContext,
): ArtifactFiles {
  const { name, targetModules, feedforwardModules } = options
  const taskType = peftTaskType(head)
  const adapted = new Set(values.map(({ parameter: { module } }) => module))
  const config = {
    auto_mapping: null,
    base_model_name_or_path: baseModel === "" ? null : baseModel,
    // Of the base's weights alone: the vectors are the same.
    fan_in_fan_out: modules.some(({ path, transposed }) => transposed && adapted.has(path)),
    feedforward_modules: feedforwardModules,
    inference_mode: true,
    init_ia3_weights: true,
    modules_to_save: taskType === "SEQ_CLS" || taskType === "TOKEN_CLS" ? HEADS : null,
    peft_type: "IA3",
    revision: null,
    target_modules: targetModules,
    task_type: taskType ?? null,
  }
  const names = peftNames(values.map(({ parameter }) => parameter))
  const tensors = values.map(({ parameter, data }) =>
    [names.get(parameter)!, { shape: parameter.shape, data }] as const
  )
  return {
    [adapterFile(name, CONFIG_FILE)]: new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`),
    [adapterFile(name, WEIGHTS_FILE)]: encodeTensors(new Map(tensors)),
  }
}

/** The options that a config names. */
export function readConfig(name: string, files: ArtifactFiles): Effect.Effect<IA3Options, PeftError> {
  return attempt(() => {
    const file = adapterFile(name, CONFIG_FILE)
    const value = parseJson(new TextDecoder().decode(bytesOf(files, file)), file)
    const config = new ConfigReader(file, Object(value))
    if (config.string("peft_type") !== "IA3") {
      const message = `${file}: peft_type is ${JSON.stringify(config.record.peft_type)}, not "IA3"`
      throw new PeftError({ reason: "Unsupported", file, message })
    }
    if (config.has("exclude_modules")) {
      const message = `${file}: exclude_modules is not known here; name the target_modules that are left`
      throw new PeftError({ reason: "Unsupported", file, message })
    }
    const names = (field: string) =>
      typeof config.record[field] === "string" ? config.string(field) : config.strings(field)
    return { targetModules: names("target_modules"), feedforwardModules: names("feedforward_modules") }
  })
}

/** Values of the wanted parameters from the files, if they belong to these options. */
export function readWeights(
  options: ResolvedIA3,
  files: ArtifactFiles,
  wanted: ReadonlyArray<Parameter>,
): Effect.Effect<ReadonlyArray<NamedValues>, PeftError> {
  return Effect.flatMap(readConfig(options.name, files), () =>
    attempt(() => {
      // Other targets show in the names of the weights, another side in their shapes.
      const file = adapterFile(options.name, WEIGHTS_FILE)
      const names = peftNames(wanted)
      const shapes = new Map([...names].map(([{ shape }, name]) => [name, shape]))
      const found = decodeTensors(bytesOf(files, file), shapes, file)
      return [...names].map(([parameter, name]) => ({ parameter, data: found.get(name)! }))
    }))
}

function bytesOf(files: ArtifactFiles, file: string): Uint8Array {
  const bytes = files[file]
  if (bytes === undefined) throw new PeftError({ reason: "Weights", file, message: `there is no ${file}` })
  return bytes
}

function attempt<A>(run: () => A): Effect.Effect<A, PeftError> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      if (error instanceof PeftError) return Effect.fail(error)
      if (!(error instanceof JsonError)) throw error
      return Effect.fail(new PeftError({ reason: "Config", file: error.file, message: error.message }))
    }
  })
}
