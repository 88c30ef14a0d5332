/**
 * How the methods of cases run here: their options, layers, and the names of their tensors.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { Plugins } from "../../core/contracts/plugins.ts"
import * as IA3 from "../../examples/third_party/ia3.ts"
import { peftNames as ia3Names } from "../../examples/third_party/ia3_files.ts"
import * as Lora from "../../plugins/lora/mod.ts"
import { peftNames, promptBaseName } from "../../plugins/peft_format/mod.ts"
import * as MultitaskPromptTuning from "../../plugins/multitask_prompt_tuning/mod.ts"
import { toPeft as multitaskPromptToPeft } from "../../plugins/multitask_prompt_tuning/tensors.ts"
import * as PrefixTuning from "../../plugins/prefix_tuning/mod.ts"
import { toPeft } from "../../plugins/prefix_tuning/tensors.ts"
import * as PromptTuning from "../../plugins/prompt_tuning/mod.ts"
import * as QaLora from "../../plugins/qa_lora/mod.ts"
import * as QLora from "../../plugins/qlora/mod.ts"
import * as Quantization from "../../plugins/quantization/mod.ts"
import type { NamedTensor } from "./tensors.ts"
import { adaptersOf } from "./espalier_adapters.ts"
import type { Case, LoraOptions, PromptOptions } from "./cases.ts"
import type { IA3Options } from "./ia3_cases.ts"
import type { QuantizedBase } from "./quantized/quantized_cases.ts"

/** A method's layer, whatever it provides. */
export type MethodLayer = Layer.Layer<never, unknown, Plugins | FileSystem.FileSystem>

/** A case's method. */
export interface Method {
  /** With the case's options. */
  readonly layer: MethodLayer
  /** As a directory has it. */
  readonly fromFiles: (directory: string) => MethodLayer
  /** Values of what trains, by the names that the reference has for them. */
  readonly named: (values: ReadonlyArray<NamedValues>) => ReadonlyMap<string, NamedTensor>
}

/** The method of a case; none where all trains. */
export const methodOf = (one: Case): Method | undefined => {
  if (one.quantized !== undefined) return quantizedOf(one, one.quantized)
  if (one.lora !== undefined) return loraOf(one.lora, one.training)
  if (one.adapters !== undefined) return adaptersOf(one.adapters)
  if (one.ia3 !== undefined) return ia3Of(one.ia3)
  if (one.prompt?.peft_type === "MULTITASK_PROMPT_TUNING") return multitaskPromptOf(one.prompt, one.tasks!)
  return one.prompt === undefined ? undefined : promptOf(one.prompt)
}

/** A layer for what it registers alone. */
export const built = (layer: Layer.Layer<never, unknown, Plugins | FileSystem.FileSystem>): MethodLayer =>
  Layer.effectDiscard(Effect.void).pipe(Layer.provide(layer))

const given = (options: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

const loraOf = (lora: LoraOptions, { loraPlusLrRatio }: Case["training"]): Method => ({
  layer: built(Lora.layer(optionsOf(lora, loraPlusLrRatio) as never)),
  fromFiles: (directory) => built(Lora.fromPeft(directory) as never),
  named: asInPeft,
})

const optionsOf = (lora: LoraOptions, loraPlusLrRatio?: number): Record<string, unknown> =>
  given({
    r: lora.r,
    loraAlpha: lora.lora_alpha,
    targetModules: lora.target_modules,
    excludeModules: lora.exclude_modules,
    bias: lora.bias,
    useRslora: lora.use_rslora,
    modulesToSave: lora.modules_to_save,
    rankPattern: lora.rank_pattern,
    alphaPattern: lora.alpha_pattern,
    layersToTransform: lora.layers_to_transform,
    initLoraWeights: lora.init_lora_weights,
    useDora: lora.use_dora,
    loraPlusLrRatio,
  })

const asInPeft: Method["named"] = (values) => {
  const names = peftNames(values.map(({ parameter }) => parameter))
  return new Map(values.map(({ parameter, data }) => [names.get(parameter)!, { shape: parameter.shape, data }]))
}

const BASES = {
  "nf4": Quantization.layer({ format: "nf4" }),
  "nf4-plain": Quantization.layer({ format: "nf4", doubleQuantization: false }),
  "q4_1": Quantization.layer({ format: "q4_1" }),
} as const

/** A method over a quantized base. */
const quantizedOf = ({ lora, qalora }: Case, base: QuantizedBase): Method => {
  const over = (method: Layer.Layer<never, unknown, never>) => Layer.provideMerge(method, BASES[base]) as MethodLayer
  if (qalora === undefined) {
    return {
      layer: over(QLora.layer({ ...optionsOf(lora!), loraDropout: 0 }) as never),
      fromFiles: (directory) => over(QLora.fromPeft(directory) as never),
      named: asInPeft,
    }
  }
  return {
    layer: over(QaLora.layer(given({
      r: qalora.r,
      loraAlpha: qalora.lora_alpha,
      useRslora: qalora.use_rslora,
      targetModules: qalora.target_modules,
      groupSize: qalora.qalora_group_size,
      pooling: qalora.qalora_pooling,
    })) as never),
    fromFiles: (directory) => over(QaLora.fromPeft(directory) as never),
    named: asInPeft,
  }
}

const ia3Of = (ia3: IA3Options): Method => ({
  layer: built(IA3.layer(given({
    targetModules: ia3.target_modules,
    feedforwardModules: ia3.feedforward_modules,
    initIa3Weights: ia3.init_ia3_weights,
  }))),
  fromFiles: (directory) => built(IA3.fromPeft(directory)),
  named: (values) => {
    const names = ia3Names(values.map(({ parameter }) => parameter))
    return new Map(
      values.map(({ parameter, data }) => [names.get(parameter)!, { shape: parameter.shape, data }]),
    )
  },
})

const promptOf = (prompt: PromptOptions): Method => {
  const shared = { numVirtualTokens: prompt.num_virtual_tokens, encoderHiddenSize: prompt.encoder_hidden_size }
  const prefix = prompt.peft_type === "PREFIX_TUNING"
  const layer = prefix
    ? PrefixTuning.layer(given({ ...shared, prefixProjection: prompt.prefix_projection }))
    : PromptTuning.layer(given({
      ...shared,
      promptTuningInit: prompt.prompt_tuning_init,
      encoderReparameterizationType: prompt.encoder_reparameterization_type,
    }))
  return {
    layer: built(layer as never),
    fromFiles: (directory) =>
      built((prefix ? PrefixTuning.fromPeft(directory) : PromptTuning.fromPeft(directory)) as never),
    named: (values) => {
      const own = values.filter(({ parameter }) => parameter.owner !== "base")
      const tensors = new Map<string, NamedTensor>(
        prefix ? toPeft(own) : own.map(({ parameter: { name, shape }, data }) => [name, { shape, data }]),
      )
      for (const { parameter, data } of values) {
        if (parameter.owner === "base") tensors.set(promptBaseName(parameter), { shape: parameter.shape, data })
      }
      return tensors
    },
  }
}

const multitaskPromptOf = (prompt: PromptOptions, ofBatches: ReadonlyArray<string>): Method => {
  const tasks = [...new Set(ofBatches)]
  return {
    layer: built(MultitaskPromptTuning.layer(given({
      numVirtualTokens: prompt.num_virtual_tokens,
      numRanks: prompt.num_ranks,
      tasks,
    }))),
    fromFiles: (directory) => built(MultitaskPromptTuning.fromPeft(directory, { tasks })),
    named: (values) => new Map(multitaskPromptToPeft(tasks, values)),
  }
}
