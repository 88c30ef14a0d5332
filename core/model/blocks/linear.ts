import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Module, Scope } from "../module.ts"

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

/** Linear modules of these names within a path: one for each width, or a single one that gives all side by side. */
export function linears(
  names: ReadonlyArray<string>,
  widths: ReadonlyArray<number>,
  { path, std, ...options }: Omit<LinearOptions, "outFeatures" | "std"> & {
    readonly std: number | ReadonlyArray<number>
  },
): ReadonlyArray<Module> {
  const whole = widths.reduce((sum, width) => sum + width, 0)
  return names.map((name, i) =>
    linear({
      ...options,
      path: `${path}.${name}`,
      outFeatures: names.length === 1 ? whole : widths[i],
      std: typeof std === "number" ? std : std[i],
    })
  )
}

/** Outputs of {@link linears}, [..., widths[i]]. */
export function outputsOf(
  scope: Scope,
  modules: ReadonlyArray<Module>,
  x: Tensor,
  widths: ReadonlyArray<number>,
): ReadonlyArray<Tensor> {
  if (modules.length === widths.length) return modules.map((module) => scope.call(module, x))
  const whole = scope.call(modules[0], x)
  let end = 0
  return widths.map((width) => ops.narrow(whole, -1, end, end += width))
}
