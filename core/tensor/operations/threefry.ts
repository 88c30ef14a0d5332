/**
 * Threefry-2x32 with 20 rounds: a counter-based generator (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
 * SC 2011). A value depends only on its key and counter, so any thread, machine or resumed run draws the same numbers.
 * @module
 */

/** Left rotations of the eight rounds that repeat. */
export const ROTATIONS: readonly number[] = [13, 15, 26, 6, 17, 29, 16, 24]
/** Third word of the key schedule: `PARITY ^ key0 ^ key1`. */
export const PARITY = 0x1bd11bda

/** Two random words (unsigned, 32 bits) of a counter under a key. Each argument counts modulo 2^32. */
export const threefry2x32 = (key0: number, key1: number, counter0: number, counter1: number): [number, number] => {
  const key = [key0, key1, PARITY ^ key0 ^ key1]
  let x0 = (counter0 + key0) | 0
  let x1 = (counter1 + key1) | 0
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round % 8]
    x0 = (x0 + x1) | 0
    x1 = (x1 << rotation | x1 >>> (32 - rotation)) ^ x0
    if (round % 4 === 3) {
      const injection = (round + 1) / 4
      x0 = (x0 + key[injection % 3]) | 0
      x1 = (x1 + key[(injection + 1) % 3] + injection) | 0
    }
  }
  return [x0 >>> 0, x1 >>> 0]
}

/** A number in [0, 1): the upper 24 bits of the first word of counter (index, salt), exact in a float32. */
export const uniformAt = (index: number, salt: number, key0: number, key1: number): number =>
  (threefry2x32(key0, key1, index, salt)[0] >>> 8) * 2 ** -24
