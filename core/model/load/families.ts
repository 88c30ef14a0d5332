/**
 * The registry that model families add themselves to, and formats of weight files.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Attention, Head } from "../../contracts/head.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import type { ConfigFields } from "../../formats/json/config_fields.ts"
import type { ConfigReader } from "../../formats/json/model_config.ts"
import type { CheckpointFormat, FormatFamily } from "../../weights/checkpoint_format.ts"
import { gguf, safetensors } from "../../weights/formats.ts"
import { FormatFamilies } from "../../weights/gguf/gguf_tokenizers.ts"
import type { Network } from "../network.ts"

export type { ConfigFields } from "../../formats/json/config_fields.ts"

/** A kind of model: how its `config.json` becomes modules. */
export interface Family extends FormatFamily {
  /** Values of `model_type` that it knows. */
  readonly modelTypes: ReadonlyArray<string>
  /** Which tokens its models' tokens see: a language model must learn from no others. */
  readonly attention: Attention
  /** Kinds of the heads that its models have. Default: all. */
  readonly heads?: ReadonlyArray<Head["kind"]>
  /** Structure for a config and a head. Throws JsonError (see {@link ConfigReader}), or ModelError for a head that it lacks. */
  readonly build: (config: ConfigReader, head: Head) => Network
  /**
   * Fields of a config that `build` does not read: which play no part, and with which values. What nobody read is told in
   * a note, or is an error where it is known to change a model. Default: what holds for models in general.
   */
  readonly fields?: ConfigFields
}

/** The operations of the registry. */
export interface FamiliesService {
  /** Adds a family; undone when its layer is released. */
  readonly register: (family: Family) => Effect.Effect<void, PluginError, Scope.Scope>
  /** Families by `model_type`. */
  readonly all: Effect.Effect<ReadonlyMap<string, Family>>
  /** Adds a format of weight files; undone when its layer is released. */
  readonly registerFormat: (format: CheckpointFormat) => Effect.Effect<void, PluginError, Scope.Scope>
  /** All formats, safetensors first, then GGUF. */
  readonly formats: Effect.Effect<ReadonlyArray<CheckpointFormat>>
}

/** Identity of the registry. */
export interface Families {
  /** Nominal brand. */
  readonly "~espalier/Families": "~espalier/Families"
}
/** Key of the registry. */
export const Families: Context.Service<Families, FamiliesService> = Context.Service<Families, FamiliesService>(
  "@espalier/espalier/Families",
)

/** An empty registry. */
export const layer: Layer.Layer<Families> = Layer.effectContext(Effect.sync(() => {
  const all = new Map<string, Family>()
  const formats = new Map([safetensors, gguf].map((format) => [format.name, format]))
  const service: FamiliesService = {
    register: (family) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          const taken = family.modelTypes.find((type) => all.has(type))
          if (taken !== undefined) {
            const message = `Two families know the model type "${taken}"; leave one of them out`
            return Effect.fail(new PluginError({ plugin: "families", message }))
          }
          for (const type of family.modelTypes) all.set(type, family)
          return Effect.void
        }),
        () => Effect.sync(() => family.modelTypes.forEach((type) => all.delete(type))),
      ).pipe(Effect.asVoid),
    all: Effect.sync(() => new Map(all)),
    registerFormat: (format) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (!formats.has(format.name)) return Effect.sync(() => void formats.set(format.name, format))
          const message = `Two formats of weights are called "${format.name}"; leave one of them out`
          return Effect.fail(new PluginError({ plugin: "formats", message }))
        }),
        () => Effect.sync(() => formats.delete(format.name)),
      ),
    formats: Effect.sync(() => [...formats.values()]),
  }
  return Context.make(Families, service).pipe(
    Context.add(FormatFamilies, Effect.sync(() => [...new Set(all.values())])),
  )
}))

/** The layer of a family. */
export function family(value: Family): Layer.Layer<never, PluginError, Families> {
  return Layer.effectDiscard(Effect.gen(function* () {
    const families = yield* Families
    yield* families.register(value)
  }))
}

/** The layer of a format of weight files: with it, `Model.load` reads directories that hold that format. */
export function format(value: CheckpointFormat): Layer.Layer<never, PluginError, Families> {
  return Layer.effectDiscard(Effect.gen(function* () {
    const families = yield* Families
    yield* families.registerFormat(value)
  }))
}
