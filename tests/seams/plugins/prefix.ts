/**
 * Prefix keys (Li and Liang 2021): keys and values that every query of an attention sees before the sequence's own.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type PluginError, Plugins } from "@espalier/espalier"

/** Options of {@link layer}. */
export interface PrefixOptions {
  /** Number of keys. */
  readonly length: number
}

/** Identity of the capability. */
export interface Prefix {
  /** Nominal brand. */
  readonly "~seams/Prefix": "~seams/Prefix"
}
const Prefix: Context.Service<Prefix, PrefixOptions> = Context.Service<Prefix, PrefixOptions>("seams/Prefix")

/** Puts a prefix into every attention. */
export function layer(options: PrefixOptions): Layer.Layer<Prefix, PluginError, Plugins.Plugins> {
  return Plugins.plugin(
    Prefix,
    Effect.succeed([options, {
      id: "prefix/default",
      sites: [{
        select: (module) => module.kind === "Attention",
        plan: ({ sizes }) => {
          const shape = [1, sizes.keyValueHeads, options.length, sizes.headDim]
          const normal = { shape, initializer: { kind: "normal", std: 0.5 } } as const
          return {
            place: "kv-prefix",
            length: options.length,
            parameters: { keys: normal, values: normal },
            forward: (scope) => ({ keys: scope.parameter("keys"), values: scope.parameter("values") }),
          }
        },
      }],
    }]),
  )
}
