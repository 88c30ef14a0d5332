/**
 * ChaCha with 20 rounds (RFC 8439, section 2.3): a cryptographic generator. A word depends on key, step, stream and index
 * alone, so any backend and a resumed run draw the same numbers.
 * @module
 */

/** Words of a block. */
export const BLOCK = 16

/** Words 0 to 3 of the state: "expand 32-byte k". */
export const CONSTANTS: ReadonlyArray<number> = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]

/** Words that a quarter round mixes, for the eight quarter rounds of a double round. */
const QUARTERS: ReadonlyArray<readonly [number, number, number, number]> = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
]

/** Left rotations of a quarter round's four parts. */
export const ROTATIONS: ReadonlyArray<number> = [16, 12, 8, 7]

/** The four parts of a quarter round: `words[a] += words[b]; words[d] = rotate(words[d] ^ words[a], rotation)`. */
export function eachPart(write: (a: number, b: number, d: number, rotation: number) => void): void {
  for (const [a, b, c, d] of QUARTERS) {
    write(a, b, d, ROTATIONS[0])
    write(c, d, b, ROTATIONS[1])
    write(a, b, d, ROTATIONS[2])
    write(c, d, b, ROTATIONS[3])
  }
}

/** A block of 16 words, unsigned. @param key 8 words @param nonce 3 words */
export function chachaBlock(key: ArrayLike<number>, counter: number, nonce: ArrayLike<number>): Uint32Array {
  const initial = Uint32Array.from([...CONSTANTS, ...Array.from(key), counter, ...Array.from(nonce)])
  const words = initial.slice()
  for (let round = 0; round < 10; round++) {
    eachPart((a, b, d, rotation) => {
      words[a] += words[b]
      const mixed = words[d] ^ words[a]
      words[d] = mixed << rotation | mixed >>> (32 - rotation)
    })
  }
  return words.map((word, i) => word + initial[i])
}
