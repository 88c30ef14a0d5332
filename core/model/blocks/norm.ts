import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Module } from "../module.ts"

/** What a norm needs. */
export interface NormOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width of the last axis. */
  readonly width: number
  /** Added to the variance, or to the mean square. */
  readonly epsilon: number
}

/** Layer norm along the last axis (Ba et al. 2016), with a bias by default. */
export function layerNorm({ path, width, epsilon, bias = true }: NormOptions & { readonly bias?: boolean }): Module {
  return norm(path, width, bias ? { weight: "ones", bias: "zeros" } : { weight: "ones" }, (x, parameter) => {
    const [weight, shift] = [parameter("weight"), bias ? parameter("bias") : ops.full(0, [width])]
    return ops.layerNorm(x, weight, shift, epsilon)
  })
}

/** Root-mean-square norm along the last axis (Zhang and Sennrich 2019); with an `offset` of 1 the weight starts at 0. */
export function rmsNorm({ path, width, epsilon, offset = 0 }: NormOptions & { readonly offset?: 0 | 1 }): Module {
  return norm(path, width, { weight: offset === 0 ? "ones" : "zeros" }, (x, parameter) => {
    const weight = parameter("weight")
    return ops.rmsNorm(x, offset === 0 ? weight : ops.add(weight, offset), epsilon)
  })
}

function norm(
  path: string,
  width: number,
  kinds: Readonly<Record<string, "ones" | "zeros">>,
  forward: (x: Tensor, parameter: (name: string) => Tensor) => Tensor,
): Module {
  const self: Module = {
    path,
    kind: "Norm",
    sizes: { width },
    parameters: Object.fromEntries(
      Object.entries(kinds).map(([name, kind]) => [name, { shape: [width], initializer: { kind } }]),
    ),
    children: [],
    outputHead: false,
    forward: (scope, x) => forward(x, (name) => scope.parameter(self, name)),
  }
  return self
}
