/**
 * The update of QA-LoRA at a Linear (Xu et al. 2024): y + s B A pool(x), where pool gives one number for each group of
 * inputs, so that the update is the same for all weights of a group and lies in the group's offset when it is merged.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import type { DeltaPlan, SiteScope } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { A, B, type GroupPooling, narrowProduct, rankAndScale, type ResolvedOptions } from "../lora/mod.ts"

/** What a group's inputs are to A. */
export interface Groups {
  /** Inputs of a group. */
  readonly groupSize: number
  /** What A reads of one. */
  readonly pooling: GroupPooling
}

/** What the sum of a group is multiplied by, in a layer of so many groups. */
export function poolingFactor({ groupSize, pooling }: Groups, groups: number): number {
  if (pooling === "sum") return 1
  return pooling === "mean" ? 1 / groupSize : groups / groupSize
}

/** What an adapter does at a Linear. Throws PluginError where groups do not divide its width. */
export function planGroups(own: Groups, options: ResolvedOptions, module: ModuleInfo): DeltaPlan {
  const { groupSize } = own
  const { path, sizes: { inFeatures, outFeatures } } = module
  const { r, scale } = rankAndScale(options, module)
  if (inFeatures % groupSize !== 0) {
    throw pluginError(
      options.id,
      `groups of ${groupSize} do not divide the ${inFeatures} inputs of "${path}": give a groupSize that divides them, or ` +
        "leave the module out (excludeModules)",
    )
  }
  checkEncoding(groupSize, options.id, module)
  const groups = inFeatures / groupSize
  const factor = scale * poolingFactor(own, groups)
  return {
    place: "delta",
    parameters: {
      // Xavier's, as the authors' code has it.
      [A]: { shape: [r, groups], initializer: { kind: "uniform", bound: Math.sqrt(6 / (r + groups)) } },
      [B]: { shape: [outFeatures, r], initializer: { kind: "zeros" } },
    },
    forward: (scope, x) => {
      const dropped = scope.dropout(groupSums(x, groups), options.loraDropout)
      return narrowProduct(dropped, scope.parameter(A), scope.parameter(B), factor)
    },
    factors: ({ parameter, training }) => {
      if (training && options.loraDropout > 0) return undefined
      const each = ops.expand(ops.reshape(parameter(A), [r, groups, 1]), [r, groups, groupSize])
      return { down: ops.mul(ops.reshape(each, [r, inFeatures]), factor), up: parameter(B) }
    },
    merge: { weight: { offsets: (scope) => offsetsOf(scope, factor) } },
  }
}

/** [..., inFeatures] to [..., groups]. */
function groupSums(x: Tensor, groups: number): Tensor {
  const leading = x.shape.slice(0, -1), size = x.shape[x.shape.length - 1] / groups
  return ops.sum(ops.reshape(x, [...leading, groups, size]), [leading.length + 1])
}

/** What is added to the offsets, [outFeatures, groups]: b' = b + s B A (algorithm 1 of the paper). */
function offsetsOf({ parameter }: SiteScope, factor: number): Tensor {
  return ops.mul(ops.matmul(parameter(B), parameter(A)), factor)
}

/** Throws PluginError where the weight is not kept in groups with offsets, as far as that is known. */
function checkEncoding(groupSize: number, id: string, { path, encodings }: ModuleInfo): void {
  if (encodings === undefined) return
  const { weight } = encodings
  if (weight?.affine !== undefined && groupSize % weight.block === 0) return
  if (weight?.affine !== undefined) {
    const { block, name } = weight
    throw pluginError(
      id,
      `"${path}" is kept in blocks of ${block} (${name}), which groups of ${groupSize} cut: give a groupSize that is a ` +
        `multiple of ${block}`,
    )
  }
  const kept = weight === undefined ? "is not quantized" : `is kept in ${weight.name}, whose blocks have no offset`
  throw pluginError(
    id,
    `"${path}" ${kept}: QA-LoRA merges into the offsets of groups. Load the base in groups with scale and offset (a GGUF ` +
      "file of Q4_1 or Q5_1, or Quantization.layer with such a format), or train over it with QLora or Lora",
  )
}
