/**
 * One bottleneck adapter at one module.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Initializer, ParameterSpec } from "../../core/contracts/parameter.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import type { Residual, SiteScope } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { ACTIVATIONS } from "./activations.ts"
import type { ResolvedAdapter } from "./options.ts"

const ZEROS: Initializer = { kind: "zeros" }
const ONES: Initializer = { kind: "ones" }
/** As torch's LayerNorm has it. */
const EPSILON = 1e-5

/** Width of the residual stream at a module with `residual`. */
export function hiddenSizeOf({ sizes }: ModuleInfo): number {
  return sizes.hiddenSize ?? sizes.outFeatures
}

/** Number of a module's layer; those of a decoder follow the encoder's. */
export function layerOf({ path, layer }: ModuleInfo): number {
  return layer === undefined ? Number(/(?:^|\.)(\d+)(?:\.|$)/.exec(path)?.[1] ?? 0) : layer.before + layer.index
}

export function isPlaced({ mhAdapter, outputAdapter, leaveOut }: ResolvedAdapter, module: ModuleInfo): boolean {
  const wanted = module.residual === "attention" ? mhAdapter : module.residual === "feed-forward" && outputAdapter
  return wanted && !leaveOut.includes(layerOf(module))
}

/** Width of the bottleneck at a module. Throws {@link PluginError} if the layer has no factor. */
function bottleneckSize({ name, reductionFactor }: ResolvedAdapter, module: ModuleInfo, plugin: string): number {
  const layer = layerOf(module)
  const factor = typeof reductionFactor === "number"
    ? reductionFactor
    : reductionFactor[String(layer)] ?? reductionFactor.default
  if (factor === undefined) {
    throw pluginError(plugin, `reductionFactor of "${name}" says nothing of layer ${layer}; give it, or "default"`)
  }
  return Math.max(1, Math.floor(hiddenSizeOf(module) / factor))
}

/** Name of the down projection: AdapterHub's list of steps starts with the norm if there is one. */
const downOf = ({ lnBefore }: ResolvedAdapter): string => `adapter_down.${lnBefore ? 1 : 0}`

/** An adapter's parameters, by AdapterHub's names. */
export function bottleneckParameters(
  adapter: ResolvedAdapter,
  module: ModuleInfo,
  plugin: string,
): Readonly<Record<string, ParameterSpec>> {
  const width = hiddenSizeOf(module)
  const size = bottleneckSize(adapter, module, plugin)
  const { initWeights, lnBefore, lnAfter, scaling } = adapter
  const normal: Initializer = { kind: "normal", std: 0.02 }
  const [down, up]: ReadonlyArray<Initializer> = initWeights === "bert"
    ? [normal, normal]
    : [{ kind: "uniform", bound: 1 / Math.sqrt(width) }, ZEROS]
  const norm = (name: string) => ({
    [`${name}.weight`]: { shape: [width], initializer: ONES },
    [`${name}.bias`]: { shape: [width], initializer: ZEROS },
  })
  return {
    ...(lnBefore ? norm("adapter_norm_before") : {}),
    [`${downOf(adapter)}.weight`]: { shape: [size, width], initializer: down },
    [`${downOf(adapter)}.bias`]: { shape: [size], initializer: ZEROS },
    "adapter_up.weight": { shape: [width, size], initializer: up },
    "adapter_up.bias": { shape: [width], initializer: ZEROS },
    ...(typeof scaling === "number" ? {} : {
      scaling: { shape: [scaling === "learned" ? 1 : width], initializer: ONES },
    }),
    ...(lnAfter ? norm("adapter_norm_after") : {}),
  }
}

/** Parameters of one adapter among the site's. */
export type AdapterScope = Pick<SiteScope, "parameter" | "dropout">

/** h and h' of {@link AdapterOptions} at a module: the adapter's input, and what its output is added to. */
export interface Entry {
  readonly input: Tensor
  readonly residual: Tensor
}

/** How a part's output y enters an adapter. */
export function enter(adapter: ResolvedAdapter, y: Tensor, { input, join }: Residual): Entry {
  if (adapter.isParallel) return { input, residual: y }
  const h = adapter.originalLnBefore ? join(y) : y
  const { residualBeforeLn } = adapter
  return { input: h, residual: residualBeforeLn === "post_add" ? ops.add(y, input) : residualBeforeLn ? y : h }
}

/** A(h) without dropout and norm: scaling * (W_up f(W_down LN?(h) + b_down) + b_up). */
export function transform(adapter: ResolvedAdapter, { parameter }: AdapterScope, h: Tensor): Tensor {
  const linear = (x: Tensor, name: string) =>
    ops.add(ops.matmul(x, parameter(`${name}.weight`), { transposeB: true }), parameter(`${name}.bias`))
  const x = adapter.lnBefore ? norm(parameter, "adapter_norm_before", h) : h
  const up = linear(ACTIVATIONS[adapter.nonLinearity](linear(x, downOf(adapter))), "adapter_up")
  const { scaling } = adapter
  if (scaling === 1) return up
  return ops.mul(up, typeof scaling === "number" ? scaling : parameter("scaling"))
}

/** h' + A(h), with the adapter's own norm where it has one. */
export function applyAdapter(adapter: ResolvedAdapter, scope: AdapterScope, { input, residual }: Entry): Tensor {
  const { isParallel, lnAfter, adapterResidualBeforeLn } = adapter
  const more = scope.dropout(transform(adapter, scope, input), adapter.dropout)
  if (!lnAfter) return ops.add(more, residual)
  const normed = (x: Tensor) => norm(scope.parameter, "adapter_norm_after", x)
  return adapterResidualBeforeLn && !isParallel ? normed(ops.add(more, residual)) : ops.add(normed(more), residual)
}

function norm(parameter: AdapterScope["parameter"], name: string, x: Tensor): Tensor {
  return ops.layerNorm(x, parameter(`${name}.weight`), parameter(`${name}.bias`), EPSILON)
}
