import type { FileTensor } from "../tensors.ts"

/** x W^T + b for a few rows, in float64, as files of reparameterized prompts need it: [rows, outFeatures]. */
export function linearRows(x: Float64Array, rows: number, weight: FileTensor, bias: FileTensor): Float64Array {
  const [outFeatures, inFeatures] = weight.shape
  const y = new Float64Array(rows * outFeatures)
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < outFeatures; i++) {
      let sum = bias.data[i]
      for (let j = 0; j < inFeatures; j++) sum += x[row * inFeatures + j] * weight.data[i * inFeatures + j]
      y[row * outFeatures + i] = sum
    }
  }
  return y
}
