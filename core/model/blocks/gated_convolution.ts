import * as ops from "../../tensor/ops.ts"
import type { Module } from "../module.ts"
import { endOf, placesInExample } from "../sites/batch_layout.ts"
import { linear, outputsOf } from "./linear.ts"
import type { Sequence } from "./sequence.ts"

/** What a {@link gatedConvolution} needs. */
export interface GatedConvolutionOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width between layers, and number of channels. */
  readonly hiddenSize: number
  /** Number of tokens that a token sees of each channel: itself and those before it. */
  readonly kernel: number
  /** Name within the path of the Linear that gives both gates and the channels, side by side. */
  readonly input: string
  /** Name of the convolution. */
  readonly convolution: string
  /** Name of the Linear at the end. */
  readonly output: string
  /** Whether all have biases. Default false. */
  readonly bias?: boolean
  /** Standard deviation of new weights. */
  readonly std: number
}

/**
 * output(C * convolution(B * x)) with B, C, x = input(x), a gated short convolution (Liquid AI 2025, arXiv 2511.23404):
 * x [B, T, hiddenSize] to the same.
 */
export function gatedConvolution(options: GatedConvolutionOptions): Module<[Sequence]> {
  const { path, hiddenSize, kernel, bias = false, std } = options
  const all = { inFeatures: hiddenSize, bias, std }
  const input = linear({ ...all, path: `${path}.${options.input}`, outFeatures: 3 * hiddenSize })
  const inner = convolution({ path: `${path}.${options.convolution}`, channels: hiddenSize, kernel, bias, std })
  const output = linear({ ...all, path: `${path}.${options.output}`, outFeatures: hiddenSize })
  return {
    path,
    kind: "GatedConvolution",
    sizes: { hiddenSize },
    parameters: {},
    children: [inner, input, output],
    outputHead: false,
    forward: (scope, x, sequence) => {
      const [before, after, channels] = outputsOf(scope, [input], x, [hiddenSize, hiddenSize, hiddenSize])
      const mixed = scope.call(inner, ops.mul(before, channels), sequence)
      return scope.call(output, ops.mul(after, mixed))
    },
  }
}

/** What a {@link convolution} needs. */
interface ConvolutionOptions {
  readonly path: string
  readonly channels: number
  readonly kernel: number
  readonly bias: boolean
  readonly std: number
}

/** Each channel's sum over the last `kernel` tokens, with a weight for each: x [B, T, channels] to the same. */
function convolution({ path, channels, kernel, bias, std }: ConvolutionOptions): Module<[Sequence]> {
  const self: Module<[Sequence]> = {
    path,
    kind: "Convolution",
    sizes: { channels, kernel },
    parameters: {
      weight: { shape: [channels, 1, kernel], initializer: { kind: "normal", std } },
      ...(bias ? { bias: { shape: [channels], initializer: { kind: "zeros" } } } : {}),
    },
    children: [],
    outputHead: false,
    forward: (scope, x, { batch }) => {
      const length = x.shape[1], reach = kernel - 1
      const whole = (before: typeof x) => ops.concat([before, x], 1)
      const earlier = scope.decoding?.state(self, [reach, channels], (before) => endOf(whole(before), batch, reach))
      const seen = earlier === undefined ? x : whole(earlier)
      const weight = ops.reshape(scope.parameter(self, "weight"), [channels, kernel])
      const made = ops.causalConvolution(seen, weight, placesInExample(batch, seen.shape[1]))
      const y = ops.narrow(made, 1, made.shape[1] - length, made.shape[1])
      return bias ? ops.add(y, scope.parameter(self, "bias")) : y
    },
  }
  return self
}
