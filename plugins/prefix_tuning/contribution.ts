import * as Effect from "effect/Effect"
import type { BaseModel, NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import * as ops from "../../core/tensor/ops.ts"
import { initTokens, type PromptMethod } from "../peft_format/mod.ts"
import type { ResolvedOptions } from "./options.ts"
import { hasPrefix, sitesOf, widthOf } from "./sites.ts"
import { fromPeft, peftShapes, promptEmbeddings, toPeft } from "./tensors.ts"

export function methodOf(options: ResolvedOptions): PromptMethod {
  const { id, name, initText, numVirtualTokens, prefixProjection, encoderHiddenSize, initWeights } = options
  return {
    id,
    settings: options,
    name,
    numVirtualTokens,
    sites: sitesOf(options),
    types: ["PREFIX_TUNING"],
    modelFields: (modules) => {
      const attentions = modules.filter(hasPrefix)
      const [first] = attentions
      return { tokenDim: widthOf(first), numAttentionHeads: first.sizes.keyValueHeads, numLayers: attentions.length }
    },
    width: ({ numLayers, tokenDim }) => numLayers * 2 * tokenDim,
    config: ({ tokenDim }) => ({
      peftType: "PREFIX_TUNING",
      prefixProjection,
      ...(prefixProjection ? { encoderHiddenSize: encoderHiddenSize ?? tokenDim } : {}),
      ...(initWeights === "zero" ? { initWeights } : {}),
    }),
    encoder: prefixProjection,
    shapes: peftShapes,
    toPeft,
    fromPeft,
    promptEmbeddings,
    ...(initText === undefined ? {} : {
      initialize: (own, base) =>
        base.modules.some(({ side }) => side !== undefined)
          ? Effect.fail(new PluginError({ plugin: id, message: `${id}: initText is for models without an encoder` }))
          : Effect.flatMap(
            initTokens(id, initText, numVirtualTokens, base),
            (tokens) => activations(own, base, tokens),
          ),
    }),
  }
}

/** The keys and values that the base model makes of a text. */
function activations(
  own: ReadonlyArray<Parameter>,
  base: BaseModel,
  tokens: Int32Array,
): Effect.Effect<ReadonlyArray<NamedValues>, Error> {
  const all = base.keyValues(tokens)
  const outputs = Object.fromEntries(own.map(({ key, module, name, shape }) => {
    const rows = all.get(module)![name as "keys" | "values"]
    return [key, ops.reshape(ops.permute(rows, [0, 2, 1, 3]), shape)]
  }))
  return Effect.map(
    base.evaluate(outputs),
    (values) => own.map((parameter) => ({ parameter, data: values[parameter.key] })),
  )
}
