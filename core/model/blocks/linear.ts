import * as ops from "../../tensor/ops.ts"
import type { Module } from "../module.ts"

/** What a {@link linear} needs. */
export interface LinearOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width of the input. */
  readonly inFeatures: number
  /** Width of the output. */
  readonly outFeatures: number
  /** Default false. */
  readonly bias?: boolean
  /** Standard deviation of a new weight. */
  readonly std: number
  /** Default false. */
  readonly outputHead?: boolean
}

/** x W^T + b: [..., inFeatures] to [..., outFeatures], with W [outFeatures, inFeatures]. */
export function linear(options: LinearOptions): Module {
  const { path, inFeatures, outFeatures, bias = false, std, outputHead = false } = options
  const self: Module = {
    path,
    kind: "Linear",
    sizes: { inFeatures, outFeatures },
    parameters: {
      weight: { shape: [outFeatures, inFeatures], initializer: { kind: "normal", std } },
      ...(bias ? { bias: { shape: [outFeatures], initializer: { kind: "zeros" } } } : {}),
    },
    children: [],
    outputHead,
    forward: (scope, x) => {
      const y = ops.matmul(x, scope.parameter(self, "weight"), { transposeB: true })
      return bias ? ops.add(y, scope.parameter(self, "bias")) : y
    },
  }
  return self
}
