const START = 0x811c9dc5

/** FNV-1a over numbers, 32 bits, after those with the hash `before`: it detects changed data. */
export function hashOf(values: ArrayLike<number>, before: number = START): number {
  let hash = before
  const numbers = new Float64Array(1), halves = new Int32Array(numbers.buffer)
  for (let at = 0; at < values.length; at++) {
    numbers[0] = values[at]
    for (const half of halves) hash = Math.imul(hash ^ half, 0x01000193)
  }
  return hash >>> 0
}

/** The hash of several lists as hexadecimal digits. */
export const digest = (lists: ReadonlyArray<ArrayLike<number>>): string =>
  lists.reduce((hash: number, values) => hashOf(values, hash), START).toString(16).padStart(8, "0")

/** A value as bytes of JSON. */
export const jsonBytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
