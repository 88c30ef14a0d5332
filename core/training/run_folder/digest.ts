/** FNV-1a over numbers, 32 bits, as hexadecimal digits: it detects changed data. */
export function digest(lists: Iterable<ArrayLike<number>>): string {
  let hash = 0x811c9dc5
  const numbers = new Float64Array(1), halves = new Int32Array(numbers.buffer)
  for (const values of lists) {
    for (let at = 0; at < values.length; at++) {
      numbers[0] = values[at]
      for (const half of halves) hash = Math.imul(hash ^ half, 0x01000193)
    }
  }
  return (hash >>> 0).toString(16).padStart(8, "0")
}
