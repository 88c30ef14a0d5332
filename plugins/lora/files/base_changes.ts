/**
 * What an adapter's files hold of the base model: the embeddings of a vocabulary that grew, as PEFT's
 * `save_embedding_layers` saves them or as modules that train whole.
 * @module
 */
import type { ArtifactFiles, BaseChanges, BaseWeight } from "../../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import { type PluginError, pluginError } from "../../../core/contracts/plugin_error.ts"
import type { Shape } from "../../../core/tensor/shape.ts"
import { openAdapterWeights } from "../../peft_format/mod.ts"
import { adapterFile, PREFIX, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import type { ResolvedOptions } from "../options.ts"
import { isSaved } from "../targets.ts"

/** A base weight that a file holds. */
interface Held extends BaseWeight {
  readonly module: ModuleInfo
  readonly known: Shape
  /** Whether it stands beside an update of it. */
  readonly wrapped: boolean
}

/** Changes that an adapter's files bring. Throws {@link PluginError} where they do not fit together. */
export function baseChanges(
  options: ResolvedOptions,
  files: ArtifactFiles,
  modules: ReadonlyArray<ModuleInfo>,
  tied: Readonly<Record<string, string>>,
): BaseChanges {
  // A model lists the embedding of its tokens before others.
  const table = modules.find(({ kind }) => kind === "Embedding")
  if (table === undefined) return { config: {}, weights: [] }
  const ends = modules.filter((module) => module === table || isHeadOf(module, table))
  const isAtEnd = (key: string) => ends.some(({ path }) => key.startsWith(`${path}.`))
  const held = heldWeights(options, files, modules, tied).filter(({ key }) =>
    isAtEnd(key) || Object.entries(tied).some(([own, from]) => from === key && isAtEnd(own))
  )
  const grown = held.find(({ shape, known }) => shape[0] !== known[0])
  const saved = ends.filter((module) => isSaved(options, module))
  // As in PEFT, one of two tied modules that trains whole is a copy for itself.
  const ties = Object.entries(tied).filter(([key, from]) => key.endsWith(".weight") && from === `${table.path}.weight`)
  const splits = saved.length > 0 && ties.length > 0
  const keyOf = (key: string) => splits && ties.some(([own]) => own === key) ? key : tied[key] ?? key
  const weights = new Map<string, BaseWeight>()
  for (const { key, shape, data, module, wrapped } of held) {
    // What trains comes as a value of its own; what PEFT copies beside an update is the base's.
    if (grown === undefined && (wrapped || saved.includes(module))) continue
    const one = { key: keyOf(key), shape, data }
    if (weights.get(one.key)?.data.some((value, i) => value !== data[i])) {
      throw wrong(options, `its files hold two different "${one.key}", one as "${key}": they are tied in this model`)
    }
    weights.set(one.key, one)
  }
  const lacking = ends.map(({ path }) => keyOf(`${path}.weight`)).find((key) =>
    grown !== undefined && !weights.has(key)
  )
  if (lacking !== undefined) {
    throw wrong(
      options,
      `its files hold "${grown!.key}" of ${grown!.shape[0]} rows, but no "${lacking}" of as many: ` +
        "save the adapter with save_embedding_layers=True",
    )
  }
  return {
    config: {
      ...(grown === undefined ? {} : { vocab_size: grown.shape[0] }),
      ...(splits ? { tie_word_embeddings: false } : {}),
    },
    weights: [...weights.values()],
    ...(grown === undefined || options.origin?.tokenizer === undefined ? {} : { companions: options.origin.tokenizer }),
    untied: splits ? Object.fromEntries(ties.filter(([key]) => !weights.has(key))) : {},
  }
}

/** Whether a Linear gives a score for each token of a table. */
function isHeadOf({ kind, outputHead, sizes }: ModuleInfo, table: ModuleInfo): boolean {
  return kind === "Linear" && outputHead && sizes.outFeatures === table.sizes.rows &&
    sizes.inFeatures === table.sizes.width
}

function heldWeights(
  { name }: ResolvedOptions,
  files: ArtifactFiles,
  modules: ReadonlyArray<ModuleInfo>,
  tied: Readonly<Record<string, string>>,
): ReadonlyArray<Held> {
  const file = adapterFile(name, WEIGHTS_FILE)
  const infos = new Map(modules.map((module) => [module.path, module]))
  const shapes = new Map<string, Shape>(
    modules.flatMap(({ path, parameters }) =>
      Object.entries(parameters).map(([name, shape]) => [`${path}.${name}`, shape] as const)
    ),
  )
  const stored = openAdapterWeights(files[file], file, modules)
  return [...stored.shapes].flatMap(([own, shape]) => {
    const key = own.slice(PREFIX.length).replace(/\.base_layer(\.\w+)$/, "$1")
    const module = infos.get(key.slice(0, key.lastIndexOf(".")))
    const known = shapes.get(key) ?? shapes.get(tied[key])
    if (module === undefined || known === undefined) return []
    return [{ key, shape, known, data: stored.read(own), module, wrapped: own.includes(".base_layer.") }]
  })
}

function wrong({ id }: ResolvedOptions, message: string): PluginError {
  return pluginError(id, `${message}`)
}
