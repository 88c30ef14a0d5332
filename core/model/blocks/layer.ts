import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Module, ModuleNode } from "../module.ts"
import type { Sequence } from "./sequence.ts"

/** A layer, or a module within. */
export type Layer = Module<[Sequence]>

/** A part of a layer: what is added to the residual stream. */
export interface LayerPart {
  /** Its modules in the tree, in order; the output of the last one is what is added. */
  readonly modules: ReadonlyArray<ModuleNode>
  /** Builds that output: x [B, T, hiddenSize] to the same. */
  readonly forward: Layer["forward"]
  /** Norm of the part's input, or of the sum (`postNorm`). Default: none. */
  readonly norm?: Module | undefined
  /** Norm of the part's output, before it is added. Default: none. */
  readonly outputNorm?: Module | undefined
}

/** The part of a layer that calls modules one after the other. */
export function inTurn(...modules: ReadonlyArray<Layer>): LayerPart {
  const forward: Layer["forward"] = (scope, x, sequence) =>
    modules.reduce((y, module) => scope.call(module, y, sequence), x)
  return { modules, forward }
}

/** What a {@link layer} needs. */
export interface LayerOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width between layers. */
  readonly hiddenSize: number
  /** The first part. */
  readonly attention: LayerPart
  /** A part after it, of attention to a memory. Default: none. */
  readonly cross?: LayerPart
  /** The last part. */
  readonly feedForward: LayerPart
  /** Whether norms follow the sums (Vaswani et al. 2017) rather than come before the parts. Default false. */
  readonly postNorm?: boolean
  /** Dropout of the parts' outputs. Default 0. */
  readonly dropout?: number
  /** What the parts' outputs are multiplied by, before they are added. Default 1. */
  readonly outputScale?: number | undefined
  /**
   * Whether methods at the end of a part take the norm of its input, which its modules take, for the input: as AdapterHub
   * hooks some families. Default false.
   */
  readonly methodsSeeNormed?: boolean
}

/** A layer of a transformer: attention and feed-forward, each with a residual connection and norms. */
export function layer(options: LayerOptions): Layer {
  const { path, hiddenSize, attention, cross, feedForward, postNorm = false, dropout = 0, outputScale = 1 } = options
  const { methodsSeeNormed = false } = options
  const parts = [
    { ...attention, kind: "attention", place: "attention" },
    ...(cross === undefined ? [] : [{ ...cross, kind: "cross-attention", place: "cross" }] as const),
    { ...feedForward, kind: "feed-forward", place: "output" },
  ] as const
  const modulesOf = ({ modules, kind }: typeof parts[number]) =>
    modules.map((module, i) => i === modules.length - 1 ? { ...module, residual: kind } : module)
  const normsOf = ({ norm, outputNorm }: LayerPart) => [norm, outputNorm].filter((one) => one !== undefined)
  const self: Layer = {
    path,
    kind: "Block",
    sizes: { hiddenSize },
    parameters: {},
    children: postNorm
      ? parts.flatMap((part) => [...modulesOf(part), ...normsOf(part)])
      : [...parts.flatMap(modulesOf), ...parts.flatMap(normsOf)],
    outputHead: false,
    forward: (scope, x, sequence) =>
      parts.reduce((h, { modules, forward, norm, outputNorm, place }) => {
        const through = (norm: Module | undefined, y: Tensor) => norm === undefined ? y : scope.call(norm, y)
        const input = postNorm ? h : through(norm, h)
        const y = forward(scope, input, sequence)
        const kept = scope.dropout(self, place, y, dropout)
        const join = (output: Tensor) => {
          const normed = through(outputNorm, output)
          const sum = ops.add(h, outputScale === 1 ? normed : ops.mul(normed, outputScale))
          return postNorm ? through(norm, sum) : sum
        }
        const seen = methodsSeeNormed ? { input, join: (output: Tensor) => ops.add(input, output) } : { input: h, join }
        return scope.residual(modules[modules.length - 1], kept, join, seen)
      }, x),
  }
  return self
}
