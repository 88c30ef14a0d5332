/** A complex vector. */
export interface Complex {
  readonly real: Float64Array
  readonly imaginary: Float64Array
}

/** Discrete Fourier transform in place, of a length that is a power of two (Cooley and Tukey 1965). */
export function fourierTransform({ real, imaginary }: Complex, inverse = false): void {
  const size = real.length
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1
    for (; j & bit; bit >>= 1) j ^= bit
    j ^= bit
    if (i >= j) continue
    ;[real[i], real[j]] = [real[j], real[i]]
    ;[imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]]
  }
  const angle = (inverse ? 2 : -2) * Math.PI / size
  const cosines = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos(angle * i))
  const sines = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin(angle * i))
  for (let half = 1; half < size; half *= 2) {
    const stride = size / (2 * half)
    for (let start = 0; start < size; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const a = start + k, b = a + half
        const c = cosines[k * stride], s = sines[k * stride]
        const x = real[b] * c - imaginary[b] * s
        const y = real[b] * s + imaginary[b] * c
        real[b] = real[a] - x
        imaginary[b] = imaginary[a] - y
        real[a] += x
        imaginary[a] += y
      }
    }
  }
  if (inverse) { for (let i = 0; i < size; i++) (real[i] /= size), imaginary[i] /= size }
}
