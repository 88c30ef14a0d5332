/**
 * Weights of a frozen base in few bits: quantized while they are loaded, so that the model is never in memory in f32, and
 * decoded where products read them. A capability that methods can require: `Quantization`, and `GroupQuantization` where the
 * numbers are scale * q + offset by group.
 *
 * ```ts
 * import * as Quantization from "@espalier/espalier/quantization"
 *
 * const nf4 = Quantization.layer()
 * const fourBits = Quantization.layer({ format: "grouped", bits: 4, groupSize: 32 })
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { attempt } from "../../core/contracts/attempt.ts"
import type { Contribution } from "../../core/contracts/contribution.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { collection, Plugins } from "../../core/contracts/plugins.ts"
import { contributionOf, storedContribution } from "./contribution.ts"
import type { GroupFormat } from "./formats.ts"
import {
  type CheckpointOptions,
  type QuantizationOptions,
  resolveCheckpointOptions,
  type ResolvedCheckpointOptions,
  type ResolvedOptions,
  resolveOptions,
} from "./options.ts"

export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export type { AffineBlocks, AffineEncoding, BlockEncoding, BlockFormat } from "../../kernels/encoding.ts"
export { grouped, type GroupedOptions } from "../../kernels/encodings/grouped.ts"
export { nf4, type NF4Options } from "../../kernels/encodings/nf4.ts"
export { Q4_0 } from "../../kernels/encodings/q4_0.ts"
export { Q4_1 } from "../../kernels/encodings/q4_1.ts"
export { Q8_0 } from "../../kernels/encodings/q8_0.ts"
export type { EncodedWeight } from "../../core/model/model.ts"
export type { FormatName, GroupFormat } from "./formats.ts"
export {
  CHECKPOINT_OPTIONS as checkpointOptions,
  type CheckpointOptions,
  OPTIONS as options,
  type QuantizationOptions,
  type ResolvedCheckpointOptions,
  type ResolvedOptions,
} from "./options.ts"
export { type QuantizedSection, sections } from "./sections.ts"

/** What quantizes a program's models. */
export interface QuantizationService {
  /** Options in force by name. */
  readonly quantizations: Effect.Effect<ReadonlyMap<string, ResolvedOptions | ResolvedCheckpointOptions>, PluginError>
}

/** Identity of the capability: base weights lie in blocks. */
export interface Quantization {
  /** Nominal brand. */
  readonly "~espalier/Quantization": "~espalier/Quantization"
}
/** Key of the capability. Every layer provides the same collection, so merging layers loses none. */
export const Quantization: Context.Service<Quantization, QuantizationService> = Context.Service<
  Quantization,
  QuantizationService
>("@espalier/espalier/Quantization")

/** Identity of the capability: base weights lie in blocks whose numbers are scale * q + offset (`BlockFormat.affine`). */
export interface GroupQuantization {
  /** Nominal brand. */
  readonly "~espalier/GroupQuantization": "~espalier/GroupQuantization"
}
/** Key of the capability. */
export const GroupQuantization: Context.Service<GroupQuantization, QuantizationService> = Context.Service<
  GroupQuantization,
  QuantizationService
>("@espalier/espalier/GroupQuantization")

/** What a layer with these options provides. */
export type Provided<Options extends QuantizationOptions> =
  | Quantization
  | (Options extends { readonly format: GroupFormat } ? GroupQuantization : never)

/**
 * Quantizes the weights of modules while a model is loaded: all Linear modules but the output head, unless
 * `targetModules` names others. Quantized weights are frozen; without a method beside it nothing trains. `Model.load` fails
 * with {@link PluginError} where rows are no whole blocks, where a weight is to train, and where two instances want one
 * weight.
 */
export function layer<const Options extends QuantizationOptions = Record<never, never>>(
  options?: Options,
): Layer.Layer<Provided<Options>, PluginError, Plugins> {
  return provided(() => {
    const resolved = resolveOptions(options ?? {})
    return [resolved, contributionOf(resolved)]
  }) as Layer.Layer<Provided<Options>, PluginError, Plugins>
}

/** What a layer for a base in blocks provides. */
export type ProvidedByCheckpoint<Options extends CheckpointOptions> =
  | Quantization
  | (Options extends { readonly groups: true } ? GroupQuantization : never)

/**
 * For a base that its files hold in blocks already (GGUF, bitsandbytes' 4 bits): the weights are kept as they are, frozen,
 * and the model's notes say what was found. `Model.load` fails with {@link PluginError} where there are none, or with
 * `groups` none by group.
 */
export function fromCheckpoint<const Options extends CheckpointOptions = Record<never, never>>(
  options?: Options,
): Layer.Layer<ProvidedByCheckpoint<Options>, PluginError, Plugins> {
  return provided(() => {
    const resolved = resolveCheckpointOptions(options ?? {})
    return [resolved, storedContribution(resolved)]
  }) as Layer.Layer<ProvidedByCheckpoint<Options>, PluginError, Plugins>
}

const collect = collection<ResolvedOptions | ResolvedCheckpointOptions>()

/** A layer with both capabilities; its type says which of them there are. */
function provided(
  make: () => readonly [ResolvedOptions | ResolvedCheckpointOptions, Contribution],
): Layer.Layer<Quantization | GroupQuantization, PluginError, Plugins> {
  return Layer.effectContext(Effect.gen(function* () {
    const [resolved, contribution] = yield* attempt(make, PluginError)
    const quantizations = yield* collect(contribution, resolved.name, resolved)
    yield* (yield* Plugins).register(contribution)
    return Context.make(Quantization, { quantizations }).pipe(Context.add(GroupQuantization, { quantizations }))
  }))
}
