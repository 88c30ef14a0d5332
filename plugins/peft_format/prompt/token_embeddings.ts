import * as Effect from "effect/Effect"
import type { BaseModel, NamedValues } from "../../../core/contracts/contribution.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import * as ops from "../../../core/tensor/ops.ts"

/** The embeddings of tokens, as the first layer sees them, as first values of a parameter [tokens, width]. */
export function tokenEmbeddings(
  id: string,
  parameter: Parameter,
  base: BaseModel,
  tokens: Int32Array,
): Effect.Effect<NamedValues, Error> {
  // A model lists the embedding of its tokens before others.
  const table = base.modules.find(({ kind }) => kind === "Embedding")
  if (table === undefined || table.sizes.width !== parameter.shape[1]) {
    const message = `${id}: the model has no embedding of tokens of width ${parameter.shape[1]}; ` +
      'take promptTuningInit "RANDOM"'
    return Effect.fail(new PluginError({ plugin: id, message }))
  }
  const scale = base.modules.find(({ kind }) => kind === "Backbone")?.sizes.embeddingScale ?? 1
  const rows = ops.mul(ops.gather(base.parameter(`${table.path}.weight`), ops.constant(tokens, [tokens.length])), scale)
  return Effect.map(base.evaluate({ rows }), ({ rows }) => ({ parameter, data: rows }))
}
