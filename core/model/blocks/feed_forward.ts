import * as ops from "../../tensor/ops.ts"
import type { Module } from "../module.ts"
import type { Activation } from "./read_config.ts"
import { linear, linears, outputsOf } from "./linear.ts"

/** What a {@link feedForward} needs. */
export interface FeedForwardOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width between layers. */
  readonly hiddenSize: number
  /** Width inside. */
  readonly intermediateSize: number
  /** Names within the path of Linear modules: up; gated, gate and up, or one that gives both side by side. */
  readonly inputs: readonly [up: string] | readonly [gate: string, up: string]
  /** Whether the activation of the gate is multiplied by the other input (Shazeer 2020). */
  readonly gated: boolean
  /** Name of the Linear back to `hiddenSize`. */
  readonly output: string
  /** Whether all have biases. Default false. */
  readonly bias?: boolean
  /** Standard deviation of new weights. */
  readonly std: number
  /** Of those of `output`. Default `std`. */
  readonly outputStd?: number
  /** Of the gate, or of the only input. */
  readonly activation: Activation
  /** Dropout of the output. Default 0. */
  readonly dropout?: number
  /** Dropout of the output's input. Default 0. */
  readonly innerDropout?: number
}

/** output(activation(up x)), or output(activation(gate x) * up x): x [B, T, hiddenSize] to the same. */
export function feedForward(options: FeedForwardOptions): Module {
  const { path, hiddenSize, intermediateSize, gated, bias = false, std, activation } = options
  const { dropout = 0, innerDropout = 0 } = options
  const widths = new Array(gated ? 2 : 1).fill(intermediateSize)
  const inputs = linears(options.inputs, widths, { path, inFeatures: hiddenSize, bias, std })
  const last = { path: `${path}.${options.output}`, inFeatures: intermediateSize, outFeatures: hiddenSize }
  const output = linear({ ...last, bias, std: options.outputStd ?? std })
  const self: Module = {
    path,
    kind: "FeedForward",
    sizes: { hiddenSize, intermediateSize },
    parameters: {},
    children: [...inputs, output],
    outputHead: false,
    forward: (scope, x) => {
      const [first, factor] = outputsOf(scope, inputs, x, widths)
      const active = activation(first)
      const inner = factor === undefined ? active : ops.mul(active, factor)
      const y = scope.call(output, scope.dropout(self, "inner", inner, innerDropout))
      return scope.dropout(self, "output", y, dropout)
    },
  }
  return self
}
