import type { Contribution } from "../../core/contracts/contribution.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { select } from "../../core/model/sites/selector.ts"
import { encodingIn, type ResolvedOptions } from "./options.ts"

/** Weights that are quantized while they are loaded. */
export function contributionOf(options: ResolvedOptions): Contribution {
  const { id, targetModules, excludeModules } = options
  const encoding = encodingIn(options)
  return {
    id,
    settings: { format: encoding.name, targetModules, excludeModules },
    encodings: (modules) =>
      new Map(
        select(modules, targetModules, excludeModules, id).map(({ path, kind, parameters: { weight } }) => {
          if (weight?.length === 2) return [`${path}.weight`, encoding]
          throw pluginError(id, `"${path}" (${kind}) has no matrix; name Linear and Embedding modules`)
        }),
      ),
  }
}
