import * as ops from "../../tensor/ops.ts"
import type { Module } from "../module.ts"

/** What a {@link layerNorm} needs. */
export interface LayerNormOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width of the last axis. */
  readonly width: number
  /** Added to the variance. */
  readonly epsilon: number
}

/** Layer norm along the last axis (Ba et al. 2016), with a weight and a bias. */
export function layerNorm({ path, width, epsilon }: LayerNormOptions): Module {
  const self: Module = {
    path,
    kind: "Norm",
    sizes: { width },
    parameters: {
      weight: { shape: [width], initializer: { kind: "ones" } },
      bias: { shape: [width], initializer: { kind: "zeros" } },
    },
    children: [],
    outputHead: false,
    forward: (scope, x) => ops.layerNorm(x, scope.parameter(self, "weight"), scope.parameter(self, "bias"), epsilon),
  }
  return self
}
