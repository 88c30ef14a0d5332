import * as Effect from "effect/Effect"
import * as FileSystem from "../../core/formats/files/file_system.ts"
import type {
  ArtifactContext,
  ArtifactFiles,
  BaseModel,
  Contribution,
  NamedValues,
} from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import * as ops from "../../core/tensor/ops.ts"
import {
  attemptPeft,
  decodePrompt,
  encodePrompt,
  type FileTensor,
  initTokens,
  isHead,
  linearRows,
  type PeftPromptConfig,
  type PeftPromptFields,
  promptFields,
} from "../peft_format/mod.ts"
import type { ResolvedOptions } from "./options.ts"
import { LAYERS, sitesOf } from "./sites.ts"

const EMBEDDING = "embedding.weight"

/** What a prompt adds. */
export function contributionOf(
  options: ResolvedOptions,
  files: FileSystem.FileSystem,
  initial?: ArtifactFiles,
  notes: ReadonlyArray<string> = [],
): Contribution {
  const { id, promptTuningInit, promptTuningInitText, numVirtualTokens } = options
  const tokens = (base: BaseModel) =>
    promptTuningInitText === undefined
      ? Effect.succeed(Int32Array.from({ length: numVirtualTokens }, () => base.rng.int(base.vocabSize)))
      : initTokens(id, promptTuningInitText, numVirtualTokens, base)
  return {
    id,
    sites: sitesOf(options),
    trains: isHead,
    ...(notes.length === 0 ? {} : { notes: () => notes }),
    ...(promptTuningInit === "RANDOM" ? {} : {
      initialize: (own, base) =>
        tokens(base).pipe(
          Effect.flatMap((tokens) => embeddings(id, own, base, tokens)),
          Effect.provideService(FileSystem.FileSystem, files),
        ),
    }),
    artifacts: {
      ...(initial === undefined ? {} : { initial }),
      save: (values, context) => attemptPeft(() => save(options, values, context)),
      load: (files, wanted, context) => attemptPeft(() => load(options, files, wanted, context)),
    },
  }
}

/** The base model's embeddings of tokens. */
function embeddings(
  id: string,
  [parameter]: ReadonlyArray<Parameter>,
  base: BaseModel,
  tokens: Int32Array,
): Effect.Effect<ReadonlyArray<NamedValues>, Error> {
  // A model lists the embedding of its tokens before others.
  const table = base.modules.find(({ kind }) => kind === "Embedding")
  if (table === undefined || table.sizes.width !== parameter.shape[1]) {
    const message = `${id}: the model has no embedding of tokens of width ${parameter.shape[1]}; ` +
      'take promptTuningInit "RANDOM"'
    return Effect.fail(new PluginError({ plugin: id, message }))
  }
  const rows = ops.gather(base.parameter(`${table.path}.weight`), ops.constant(tokens, [tokens.length]))
  return Effect.map(base.evaluate({ rows }), ({ rows }) => [{ parameter, data: rows }])
}

/** Fields of PEFT's config that the model decides. */
function modelFields(
  { modules }: ArtifactContext,
): Required<Pick<PeftPromptFields, "tokenDim" | "numAttentionHeads" | "numLayers">> {
  const attentions = modules.filter(({ kind }) => kind === "Attention")
  return {
    tokenDim: modules.find(({ kind }) => kind === "Backbone")!.sizes.hiddenSize,
    numAttentionHeads: attentions[0].sizes.heads,
    numLayers: attentions.length,
  }
}

/** The prompt's files, in PEFT's format. */
function save(options: ResolvedOptions, values: ReadonlyArray<NamedValues>, context: ArtifactContext): ArtifactFiles {
  const { id, name, numVirtualTokens, promptTuningInit, promptTuningInitText: text } = options
  const { encoderReparameterizationType: encoder, encoderHiddenSize } = options
  const tensors = new Map<string, FileTensor>()
  for (const { parameter: { owner, name, shape }, data } of values) if (owner === id) tensors.set(name, { shape, data })
  const base = values.filter(({ parameter }) => parameter.owner === "base")
  const fields = modelFields(context)
  const common = { ...promptFields(context, numVirtualTokens, base.map(({ parameter }) => parameter)), ...fields }
  const config: PeftPromptConfig = encoder === undefined
    ? {
      ...common,
      peftType: "PROMPT_TUNING",
      promptTuningInit,
      ...(typeof text === "string" ? { promptTuningInitText: text } : {}),
    }
    : {
      ...common,
      peftType: "P_TUNING",
      encoderReparameterizationType: encoder,
      encoderHiddenSize: encoderHiddenSize ?? fields.tokenDim,
    }
  return encodePrompt(name, config, {
    promptEmbeddings: encoder === undefined ? tensors.get(EMBEDDING)! : encoded(tensors),
    base,
    ...(encoder === undefined ? {} : { encoder: tensors }),
  })
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

/** Values from a prompt's files, if they belong to these options and this model. */
function load(
  options: ResolvedOptions,
  files: ArtifactFiles,
  wanted: ReadonlyArray<Parameter>,
  context: ArtifactContext,
): ReadonlyArray<NamedValues> {
  const { id, name, numVirtualTokens, encoderReparameterizationType: encoder } = options
  const own = wanted.filter(({ owner }) => owner === id)
  const fields = modelFields(context)
  const found = decodePrompt(name, files, {
    id,
    // Files of both hold the rows themselves.
    types: encoder === undefined ? ["PROMPT_TUNING", "P_TUNING"] : ["P_TUNING"],
    fields,
    shape: [numVirtualTokens, fields.tokenDim],
    base: wanted.filter(({ owner }) => owner === "base"),
    ...(encoder === undefined ? {} : { encoder: new Map(own.map(({ name, shape }) => [name, shape])) }),
  })
  const tensors = found.encoder ?? new Map([[EMBEDDING, found.promptEmbeddings]])
  return [...own.map((parameter) => ({ parameter, data: tensors.get(parameter.name)!.data })), ...found.base]
}
