/**
 * What families say of tokenizers in GGUF files, and where readers find it.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { FormatFamily } from "../checkpoint_format.ts"
import type { GgufTokenizers } from "./gguf_names.ts"

/** Identity of the registered families as formats see them. */
export interface FormatFamilies {
  /** Nominal brand. */
  readonly "~espalier/FormatFamilies": "~espalier/FormatFamilies"
}
/** Key of the registered families as formats see them; what provides the registry of families provides it too. */
export const FormatFamilies: Context.Service<FormatFamilies, Effect.Effect<ReadonlyArray<FormatFamily>>> = Context
  .Service<FormatFamilies, Effect.Effect<ReadonlyArray<FormatFamily>>>("@espalier/espalier/FormatFamilies")

/** The names of all registered families; none where no registry is provided. */
export const registeredTokenizers: Effect.Effect<GgufTokenizers> = Effect.gen(function* () {
  const families = Option.getOrUndefined(yield* Effect.serviceOption(FormatFamilies))
  const loaders = (families === undefined ? [] : yield* families).flatMap(({ ggufTokenizers }) => ggufTokenizers ?? [])
  const all = yield* Effect.promise(() => Promise.all(loaders.map((load) => load())))
  return {
    kinds: Object.assign({}, ...all.map(({ kinds }) => kinds)),
    cuts: Object.assign({}, ...all.map(({ cuts }) => cuts)),
  }
})
