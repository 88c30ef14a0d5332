/** Mean and covariance of rows. */
export interface Moments {
  /** [width]. */
  readonly mean: Float32Array
  /** [width, width], divided by rows - 1. */
  readonly covariance: Float32Array
}

/** Mean and covariance of rows [rows, width]. */
export function momentsOf({ width, values }: { readonly width: number; readonly values: Float32Array }): Moments {
  const rows = values.length / width
  const mean = new Float64Array(width)
  for (let i = 0; i < values.length; i++) mean[i % width] += values[i] / rows
  const covariance = new Float64Array(width * width)
  const centered = new Float64Array(width)
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) centered[i] = values[row * width + i] - mean[i]
    for (let i = 0; i < width; i++) {
      const own = centered[i] / Math.max(1, rows - 1)
      for (let j = 0; j <= i; j++) covariance[i * width + j] += own * centered[j]
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) covariance[j * width + i] = covariance[i * width + j]
  return { mean: Float32Array.from(mean), covariance: Float32Array.from(covariance) }
}
