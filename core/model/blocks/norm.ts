import * as ops from "../../tensor/ops.ts"
import type { Module } from "../module.ts"

/** What an {@link rmsNorm} needs. */
export interface RmsNormOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width of the last axis. */
  readonly width: number
  /** Added to the mean square. */
  readonly epsilon: number
}

/** Root-mean-square norm along the last axis, with a weight. */
export function rmsNorm({ path, width, epsilon }: RmsNormOptions): Module {
  const self: Module = {
    path,
    kind: "Norm",
    sizes: { width },
    parameters: { weight: { shape: [width], initializer: { kind: "ones" } } },
    children: [],
    outputHead: false,
    forward: (scope, x) => ops.rmsNorm(x, scope.parameter(self, "weight"), epsilon),
  }
  return self
}
