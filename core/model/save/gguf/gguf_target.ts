import * as Effect from "effect/Effect"
import { ConfigReader } from "../../../formats/json/model_config.ts"
import type { GgufDialect } from "../../../weights/gguf/gguf_dialect.ts"
import { asInFiles } from "../../../weights/weight_map.ts"
import type { LazyTensor } from "../../../weights/weight_transform.ts"
import { Families } from "../../load/families.ts"
import type { Model } from "../../model.ts"
import { ModelError } from "../../model_error.ts"

/** What GGUF calls a model. */
export interface GgufTarget {
  /** Value of `general.architecture`. */
  readonly architecture: string
  readonly dialect: GgufDialect
  /** The model's `config.json`. */
  readonly config: ConfigReader
}

/** What GGUF calls a model. Fails where its family has no names there. */
export function ggufTarget({ config, directory }: Model): Effect.Effect<GgufTarget, ModelError, Families> {
  return Effect.gen(function* () {
    const type = String(config.model_type)
    const families = yield* (yield* Families).all
    const { gguf = {} } = families.get(type) ?? {}
    const architecture = Object.hasOwn(gguf, type) ? type : Object.keys(gguf)[0]
    if (architecture === undefined) {
      const known = [...families].filter(([, { gguf }]) => gguf !== undefined).map(([name]) => name)
      const message = `models of the type "${type}" have no names in GGUF here` +
        (known.length === 0 ? "" : `; known: ${known.join(", ")}`) + ": save a checkpoint, or adapters"
      return yield* new ModelError({ reason: "Unsupported", message })
    }
    const dialect = yield* Effect.promise(gguf[architecture])
    return { architecture, dialect, config: new ConfigReader(directory === "" ? "config" : directory, config) }
  })
}

/** Tensors of a model, under its own names, as GGUF has them. Throws {@link ModelError} on one that has no name there. */
export function asInGguf(
  { tasks }: Model,
  { dialect, config, architecture }: GgufTarget,
  own: ReadonlyMap<string, LazyTensor>,
): ReadonlyMap<string, LazyTensor> {
  const [{ network }] = Object.values(tasks)
  const inFiles = asInFiles(network.weights, own)
  const named = asInFiles(dialect.weights(config), inFiles)
  const left = [...named.keys()].find((name) => inFiles.has(name))
  if (left === undefined) return named
  const message = `"${left}" has no name in GGUF files of the architecture "${architecture}"`
  throw new ModelError({ reason: "Unsupported", message })
}
