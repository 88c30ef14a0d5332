import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { FormatFamilies } from "./gguf/gguf_tokenizers.ts"
import type { ModelTokenizers } from "./model_tokenizers.ts"

/** What all registered families say; nothing where no registry is provided. */
export const modelTokenizers: Effect.Effect<ModelTokenizers> = Effect.gen(function* () {
  const families = Option.getOrUndefined(yield* Effect.serviceOption(FormatFamilies))
  return Object.assign({}, ...(families === undefined ? [] : yield* families).map(({ tokenizers }) => tokenizers))
})
