/**
 * Exact widening of 16-bit floats to 32 bits, and narrowing rounded to nearest, ties to even (IEEE 754; bfloat16 is the
 * upper half of a 32-bit float). Values travel as bits, so that no NaN changes on the way.
 * @module
 */
/** Widens IEEE half floats. `to` may share the memory of `from` if `from` is its upper half. */
export function widenF16(from: Uint16Array, to: Uint32Array): void {
  for (let i = 0; i < from.length; i++) {
    const half = from[i]
    const sign = (half & 0x8000) << 16
    const exponent = half & 0x7c00
    const magnitude = half & 0x7fff
    if (exponent === 0x7c00) to[i] = sign | 0x7f800000 | (magnitude << 13)
    else if (exponent !== 0) to[i] = sign | ((magnitude << 13) + 0x38000000)
    else if (magnitude === 0) to[i] = sign
    else {
      // Subnormal: magnitude * 2^-24, normal in 32 bits.
      const top = 31 - Math.clz32(magnitude)
      to[i] = sign | ((top + 103) << 23) | ((magnitude << (23 - top)) & 0x7fffff)
    }
  }
}

/** Widens bfloat16. `to` may share the memory of `from`, as in {@link widenF16}. */
export function widenBF16(from: Uint16Array, to: Uint32Array): void {
  for (let i = 0; i < from.length; i++) to[i] = from[i] << 16
}

/** Narrows to IEEE half floats; magnitudes from 65520 on become infinite. */
export function narrowF16(from: Uint32Array, to: Uint16Array): void {
  for (let i = 0; i < from.length; i++) {
    const bits = from[i]
    const sign = (bits >>> 16) & 0x8000
    const magnitude = bits & 0x7fffffff
    if (magnitude > 0x7f800000) to[i] = sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff)
    else if (magnitude >= 0x477ff000) to[i] = sign | 0x7c00
    else if (magnitude >= 0x38800000) {
      to[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
    } else if (magnitude <= 0x33000000) to[i] = sign
    else {
      const shift = 126 - (magnitude >>> 23)
      const significand = (magnitude & 0x7fffff) | 0x800000
      const rest = significand & ((1 << shift) - 1)
      const half = 1 << (shift - 1)
      const kept = significand >>> shift
      to[i] = sign | (rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept)
    }
  }
}

/** Narrows to bfloat16. */
export function narrowBF16(from: Uint32Array, to: Uint16Array): void {
  for (let i = 0; i < from.length; i++) {
    const bits = from[i]
    to[i] = (bits & 0x7fffffff) > 0x7f800000 ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
  }
}
