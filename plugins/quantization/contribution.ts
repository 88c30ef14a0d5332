import type { Contribution } from "../../core/contracts/contribution.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { select } from "../../core/model/sites/selector.ts"
import { encodingIn, type ResolvedCheckpointOptions, type ResolvedOptions } from "./options.ts"

/** Weights that are quantized while they are loaded. */
export function contributionOf(options: ResolvedOptions): Contribution {
  const { id, ...own } = options
  const { targetModules, excludeModules } = own
  const encoding = encodingIn(options)
  if (encoding === undefined) return storedContribution(options)
  return {
    id,
    settings: { ...own, format: encoding.name },
    encodings: (modules) =>
      new Map(
        select(modules, targetModules, excludeModules, id).map(({ path, kind, parameters: { weight } }) => {
          if (weight?.length === 2) return [`${path}.weight`, encoding]
          throw pluginError(id, `"${path}" (${kind}) has no matrix; name Linear and Embedding modules`)
        }),
      ),
  }
}

/** Weights that the files hold in blocks. */
export function storedContribution({ id, ...own }: ResolvedOptions | ResolvedCheckpointOptions): Contribution {
  const groups = "groups" in own && own.groups
  return {
    id,
    settings: own,
    encodings: (_, stored) => {
      const all = [...stored?.values() ?? []]
      if (stored !== undefined && all.length === 0) {
        throw pluginError(
          id,
          'the files hold no weights in blocks that memory could keep (weights: "stored" of ' +
            "Model.load); take Quantization.layer, which quantizes them while they are loaded",
        )
      }
      if (groups && stored !== undefined && !all.some(({ affine }) => affine !== undefined)) {
        throw pluginError(
          id,
          `the files hold ${listed(all.map(({ name }) => name))}, whose numbers are not scale * q + ` +
            'offset by group; take a file in Q4_1, or quantize plain weights: Quantization.layer({ format: "grouped" })',
        )
      }
      return new Map()
    },
    notes: (modules) => {
      const found = modules.flatMap(({ encodings }) => Object.values(encodings ?? {}).map(({ name }) => name))
      return [`${id}: of the files, ${listed(found)} ${found.length === 1 ? "is" : "are"} kept as they are`]
    },
  }
}

/** Names with how often they occur. */
function listed(names: ReadonlyArray<string>): string {
  const kinds = [...new Set(names)]
  return kinds.map((kind) => `${names.filter((name) => name === kind).length} weights in ${kind}`).join(", ")
}
