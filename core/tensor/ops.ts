/**
 * The operations: pure functions from tensors to tensors. Nothing runs until a graph is compiled.
 * @module
 */
export {
  abs,
  add,
  type BinaryFunction,
  cos,
  div,
  equal,
  erf,
  exp,
  floor,
  less,
  lessEqual,
  log,
  max,
  min,
  mul,
  neg,
  type Operand,
  rsqrt,
  sigmoid,
  sin,
  sqrt,
  sub,
  tanh,
  toFloat,
  toInt,
  type UnaryFunction,
  uniform,
  where,
} from "./operations/elementwise.ts"
export { constant, full, input, type InputOptions, iota, slot, type SlotReference } from "./operations/leaves.ts"
export { batchSum, expand, forBatch, type ReduceOptions, sum, sumTo } from "./operations/broadcast.ts"
export { argmax, maximum, mean } from "./operations/reduce.ts"
export { concat, flip, narrow, pad, permute, reshape, slice, stopGradient, transpose } from "./operations/views.ts"
export { matmul, type MatmulOptions } from "./operations/matmul.ts"
export { gather, scatterAdd, updateSlice } from "./operations/indexing.ts"
export { softmax } from "./composites/softmax.ts"
export { rmsNorm } from "./composites/rms_norm.ts"
export { layerNorm } from "./composites/layer_norm.ts"
export { rotary } from "./composites/rotary.ts"
export { causalConvolution } from "./composites/causal_convolution.ts"
export { crossEntropy } from "./composites/cross_entropy.ts"
export { attention, type AttentionOptions } from "./composites/attention.ts"
export type { Visibility } from "./composites/visibility.ts"
export { gelu, geluTanh, relu, silu } from "./composites/activations.ts"
export { dropout } from "./composites/dropout.ts"
export { recompute } from "./composites/recompute.ts"
