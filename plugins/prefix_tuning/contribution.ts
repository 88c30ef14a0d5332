import * as Effect from "effect/Effect"
import * as FileSystem from "../../core/formats/files/file_system.ts"
import type {
  ArtifactContext,
  ArtifactFiles,
  BaseModel,
  Contribution,
  NamedValues,
} from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import * as ops from "../../core/tensor/ops.ts"
import {
  attemptPeft,
  decodePrompt,
  encodePrompt,
  initTokens,
  isHead,
  type PeftPrefixTuningConfig,
  promptFields,
} from "../peft_format/mod.ts"
import type { ResolvedOptions } from "./options.ts"
import { sitesOf, widthOf } from "./sites.ts"
import { fromPeft, peftShapes, promptEmbeddings, toPeft } from "./tensors.ts"

/** What a prefix adds. */
export function contributionOf(
  options: ResolvedOptions,
  files: FileSystem.FileSystem,
  initial?: ArtifactFiles,
  notes: ReadonlyArray<string> = [],
): Contribution {
  const { id, initText, numVirtualTokens } = options
  return {
    id,
    sites: sitesOf(options),
    trains: isHead,
    ...(notes.length === 0 ? {} : { notes: () => notes }),
    ...(initText === undefined ? {} : {
      initialize: (own, base) =>
        initTokens(id, initText, numVirtualTokens, base).pipe(
          Effect.flatMap((tokens) => activations(own, base, tokens)),
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

/** Fields of PEFT's config that the model decides. */
function modelFields(
  modules: ReadonlyArray<ModuleInfo>,
): Required<Pick<PeftPrefixTuningConfig, "tokenDim" | "numAttentionHeads" | "numLayers">> {
  const attentions = modules.filter(({ kind }) => kind === "Attention")
  const [first] = attentions
  return { tokenDim: widthOf(first), numAttentionHeads: first.sizes.keyValueHeads, numLayers: attentions.length }
}

/** The prefix's files, in PEFT's format. */
function save(options: ResolvedOptions, values: ReadonlyArray<NamedValues>, context: ArtifactContext): ArtifactFiles {
  const { id, name, numVirtualTokens, prefixProjection, encoderHiddenSize, initWeights } = options
  const tensors = toPeft(values.filter(({ parameter }) => parameter.owner === id))
  const base = values.filter(({ parameter }) => parameter.owner === "base")
  const fields = modelFields(context.modules)
  const config: PeftPrefixTuningConfig = {
    ...promptFields(context, numVirtualTokens, base.map(({ parameter }) => parameter)),
    ...fields,
    peftType: "PREFIX_TUNING",
    prefixProjection,
    ...(prefixProjection ? { encoderHiddenSize: encoderHiddenSize ?? fields.tokenDim } : {}),
    ...(initWeights === "zero" ? { initWeights } : {}),
  }
  return encodePrompt(name, config, {
    promptEmbeddings: promptEmbeddings(tensors),
    base,
    ...(prefixProjection ? { encoder: tensors } : {}),
  })
}

/** Values from a prefix's files, if they belong to these options and this model. */
function load(
  options: ResolvedOptions,
  files: ArtifactFiles,
  wanted: ReadonlyArray<Parameter>,
  { modules }: ArtifactContext,
): ReadonlyArray<NamedValues> {
  const { id, name, numVirtualTokens, prefixProjection } = options
  const own = wanted.filter(({ owner }) => owner === id)
  const fields = modelFields(modules)
  const found = decodePrompt(name, files, {
    id,
    types: ["PREFIX_TUNING"],
    fields,
    shape: [numVirtualTokens, fields.numLayers * 2 * fields.tokenDim],
    base: wanted.filter(({ owner }) => owner === "base"),
    ...(prefixProjection ? { encoder: peftShapes(own) } : {}),
  })
  const tensors = found.encoder ?? new Map([["embedding.weight", found.promptEmbeddings]])
  return [...fromPeft(tensors, own), ...found.base]
}
