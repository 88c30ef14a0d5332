import * as Effect from "effect/Effect"
import type { BaseModel } from "../../core/contracts/contribution.ts"
import {
  type FileTensor,
  initTokens,
  inputPrefixFields,
  linearRows,
  type PromptMethod,
  tokenEmbeddings,
} from "../peft_format/mod.ts"
import type { ResolvedOptions } from "./options.ts"
import { LAYERS, sitesOf } from "./sites.ts"

const EMBEDDING = "embedding.weight"

export function methodOf(options: ResolvedOptions): PromptMethod {
  const { id, name, numVirtualTokens, promptTuningInit, promptTuningInitText: text } = options
  const { encoderReparameterizationType: encoder, encoderHiddenSize } = options
  const tokens = (base: BaseModel) =>
    text === undefined
      ? Effect.succeed(Int32Array.from({ length: numVirtualTokens }, () => base.rng.int(base.vocabSize)))
      : initTokens(id, text, numVirtualTokens, base)
  return {
    id,
    settings: options,
    name,
    numVirtualTokens,
    sites: sitesOf(options),
    // Files of both hold the rows themselves.
    types: encoder === undefined ? ["PROMPT_TUNING", "P_TUNING"] : ["P_TUNING"],
    modelFields: inputPrefixFields,
    width: ({ tokenDim }) => tokenDim,
    config: ({ tokenDim }) =>
      encoder === undefined
        ? {
          peftType: "PROMPT_TUNING",
          promptTuningInit,
          ...(typeof text === "string" ? { promptTuningInitText: text } : {}),
        }
        : {
          peftType: "P_TUNING",
          encoderReparameterizationType: encoder,
          encoderHiddenSize: encoderHiddenSize ?? tokenDim,
        },
    encoder: encoder !== undefined,
    shapes: (own) => new Map(own.map(({ name, shape }) => [name, shape])),
    toPeft: (own) => new Map(own.map(({ parameter: { name, shape }, data }) => [name, { shape, data }])),
    fromPeft: (tensors, own) => own.map((parameter) => ({ parameter, data: tensors.get(parameter.name)!.data })),
    promptEmbeddings: (tensors) => encoder === undefined ? tensors.get(EMBEDDING)! : encoded(tensors),
    ...(promptTuningInit === "RANDOM" ? {} : {
      initialize: ([rows], base) =>
        Effect.flatMap(
          tokens(base),
          (tokens) => Effect.map(tokenEmbeddings(id, rows, base, tokens), (values) => [values]),
        ),
    }),
  }
}

/** What PEFT saves of P-tuning: W3 relu(W2 relu(W1 E + b1) + b2) + b3, in float64. */
function encoded(tensors: ReadonlyMap<string, FileTensor>): FileTensor {
  const { shape, data } = tensors.get(EMBEDDING)!
  const out = LAYERS.reduce<Float64Array>((x, name, i) => {
    const rectified = i === 0 ? x : x.map((value) => Math.max(value, 0))
    return linearRows(rectified, shape[0], tensors.get(`${name}.weight`)!, tensors.get(`${name}.bias`)!)
  }, Float64Array.from(data))
  return { shape, data: Float32Array.from(out) }
}
