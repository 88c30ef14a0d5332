/**
 * Keys and values before those of every attention (Li and Liang 2021, equation 3): softmax(q [P_k; K]^T) [P_v; V]. With
 * grouped heads there are as many as heads of keys and values.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Initializer, ParameterSpec } from "../../core/contracts/parameter.ts"
import type { Site, SitePlan } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { ResolvedOptions } from "./options.ts"

const ZEROS: Initializer = { kind: "zeros" }
const NORMAL: Initializer = { kind: "normal", std: 1 }
/** Of torch's Linear. */
const uniform = (inFeatures: number): Initializer => ({ kind: "uniform", bound: 1 / Math.sqrt(inFeatures) })

export function sitesOf(options: ResolvedOptions): ReadonlyArray<Site> {
  const plan = options.prefixProjection ? planProjected : planDirect
  return [{ select: hasPrefix, plan: (module) => plan(options, module) }]
}

/** Whether a module gets a prefix: self-attention, of an encoder-decoder model that of the decoder, as in PEFT. */
export function hasPrefix({ kind, side }: ModuleInfo): boolean {
  return kind === "Attention" && side !== "encoder"
}

/** Parameters of prefixes, and which of them a module's keys and values are. */
interface Owned {
  /** Of the module. */
  readonly parameters: Readonly<Record<string, ParameterSpec>>
  /** Of all modules. */
  readonly shared: Readonly<Record<string, ParameterSpec>>
  /** What stands before the names of the module's own. */
  readonly before: string
}

/**
 * Each module has its own. Not so in a decoder: PEFT makes a prefix for each of its L layers and gives layer i that of number
 * 2 i mod L, so that of an even L half of them play no part; files mean the same only where this is the same.
 */
function owned({ side, layer }: ModuleInfo, own: Readonly<Record<string, ParameterSpec>>): Owned {
  if (side === undefined || layer === undefined) return { parameters: own, shared: {}, before: "" }
  const named = (number: number) => Object.entries(own).map(([name, spec]) => [`${number}.${name}`, spec] as const)
  const all = Array.from({ length: layer.count }, (_, number) => named(number)).flat()
  return { parameters: {}, shared: Object.fromEntries(all), before: `${2 * layer.index % layer.count}.` }
}

/** Width of an attention's keys, PEFT's `token_dim`. */
export function widthOf({ sizes: { keyValueHeads, headDim } }: ModuleInfo): number {
  return keyValueHeads * headDim
}

function planDirect({ numVirtualTokens, initWeights }: ResolvedOptions, module: ModuleInfo): SitePlan {
  // What comes from a text is written once the weights are there.
  const initializer = initWeights === "random" ? NORMAL : ZEROS
  const rows = { shape: [numVirtualTokens, widthOf(module)], initializer }
  const split = splitter(numVirtualTokens, module)
  const { before, ...own } = owned(module, { keys: rows, values: rows })
  return {
    place: "kv-prefix",
    length: numVirtualTokens,
    ...own,
    forward: ({ parameter }) => ({
      keys: split(parameter(`${before}keys`)),
      values: split(parameter(`${before}values`)),
    }),
  }
}

function planProjected(options: ResolvedOptions, module: ModuleInfo): SitePlan {
  const { numVirtualTokens, initWeights } = options
  const width = widthOf(module)
  const { encoderHiddenSize = width } = options
  const initializer = initWeights === "zero" ? ZEROS : uniform(encoderHiddenSize)
  const weight = { shape: [width, encoderHiddenSize], initializer }
  const bias = { shape: [width], initializer }
  const split = splitter(numVirtualTokens, module)
  const { before, parameters, shared } = owned(module, {
    "keys.weight": weight,
    "keys.bias": bias,
    "values.weight": weight,
    "values.bias": bias,
  })
  return {
    place: "kv-prefix",
    length: numVirtualTokens,
    parameters,
    shared: {
      "embedding.weight": { shape: [numVirtualTokens, width], initializer: NORMAL },
      "transform.0.weight": { shape: [encoderHiddenSize, width], initializer: uniform(width) },
      "transform.0.bias": { shape: [encoderHiddenSize], initializer: uniform(width) },
      ...shared,
    },
    forward: ({ parameter }) => {
      const product = (x: Tensor, name: string) =>
        ops.add(ops.matmul(x, parameter(`${name}.weight`), { transposeB: true }), parameter(`${name}.bias`))
      const hidden = ops.tanh(product(parameter("embedding.weight"), "transform.0"))
      return { keys: split(product(hidden, `${before}keys`)), values: split(product(hidden, `${before}values`)) }
    },
  }
}

/** [length, heads * headDim], or [B, ...] of them, to [1 or B, heads, length, headDim]. */
function splitter(length: number, { sizes: { keyValueHeads, headDim } }: ModuleInfo): (rows: Tensor) => Tensor {
  return (rows) => ops.permute(ops.reshape(rows, [-1, length, keyValueHeads, headDim]), [0, 2, 1, 3])
}
