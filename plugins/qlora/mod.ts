/**
 * QLoRA (Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs"): LoRA over a base in few bits, on every
 * Linear module, with the paper's defaults. Its adapters are LoRA's (`lora/<name>`), in PEFT's files; the base is
 * whatever a `Quantization` layer makes of it. With `initLoraWeights: "loftq"` they start by LoftQ (Li et al. 2024).
 *
 * The paper's run: {@link paperSettings}.
 *
 * ```ts
 * import * as Layer from "effect/Layer"
 * import * as QLora from "@espalier/espalier/qlora"
 * import * as Quantization from "@espalier/espalier/quantization"
 *
 * const methods = QLora.layer({ r: 16 }).pipe(Layer.provideMerge(Quantization.layer({ format: "nf4" })))
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import { attempt } from "../../core/contracts/attempt.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { plugin, type Plugins } from "../../core/contracts/plugins.ts"
import type { StorageError } from "../../core/formats/files/storage_error.ts"
import { adapterService, Lora, type PeftError, readAdapter, variantOf } from "../lora/mod.ts"
import { Quantization } from "../quantization/mod.ts"
import { type QLoraOptions, resolveOptions } from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export type { Lora, LoraOptions, LoraService } from "../lora/mod.ts"
export type { Quantization, QuantizationService } from "../quantization/mod.ts"
export { PeftError, type PeftErrorFields } from "../peft_names/mod.ts"
export { OPTIONS as options, type OptionWithoutDefault, type QLoraOptions } from "./options.ts"
export { type PaperSettings, paperSettings } from "./paper_settings.ts"

/**
 * An adapter over a quantized base. Fails with {@link PluginError} on options that make no sense; `Model.load` does where
 * LoftQ has nothing to start from.
 */
export function layer(options: QLoraOptions = {}): Layer.Layer<Lora, PluginError, Plugins | Quantization> {
  return plugin(
    Lora,
    Effect.gen(function* () {
      yield* Quantization
      const { lora, iterations } = yield* attempt(() => resolveOptions(options), PluginError)
      const { loftq, PLAIN } = yield* Effect.promise(() => import("./loftq.ts"))
      const { variant, started } = iterations === undefined ? PLAIN : loftq(iterations)
      return yield* adapterService(yield* attempt(() => started(variantOf(variant, lora)), PluginError))
    }),
  )
}

/**
 * A saved adapter, as `Lora.fromPeft` reads it, over a quantized base. One that LoftQ started in several rounds counts from a
 * base that is made again from the model's weights, which takes as long as the first time; `Model.load` fails where that is
 * another one.
 *
 * @param name Name of the adapter within the model; it is also the folder's name within `directory` unless `"default"`.
 */
export function fromPeft(
  directory: string,
  name = "default",
): Layer.Layer<Lora, PluginError | PeftError | StorageError, Plugins | Quantization | FileSystem.FileSystem> {
  return plugin(
    Lora,
    Effect.gen(function* () {
      yield* Quantization
      const saved = yield* readAdapter(directory, name)
      const { loftq, PLAIN } = yield* Effect.promise(() => import("./loftq.ts"))
      const { fields: { loftq: base, initLoraWeights } } = saved
      const { variant, started } = base === undefined || initLoraWeights === undefined
        ? PLAIN
        : loftq(base.iterations, base)
      return yield* adapterService(yield* attempt(() => started(variantOf(variant, {}, saved)), PluginError))
    }),
  )
}
