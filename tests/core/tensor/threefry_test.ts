import { assert, assertEquals } from "@std/assert"
import { threefry2x32, uniformAt } from "../../../core/tensor/operations/threefry.ts"

/** Known answers of threefry2x32, 20 rounds, from Random123's `kat_vectors`: counter, key, result. */
const KNOWN_ANSWERS = [
  [0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x6b200159, 0x99ba4efe],
  [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
  [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0],
]

Deno.test("threefry gives the published known answers", () => {
  for (const [counter0, counter1, key0, key1, first, second] of KNOWN_ANSWERS) {
    assertEquals(threefry2x32(key0, key1, counter0, counter1), [first, second])
  }
})

Deno.test("uniform numbers lie in [0, 1) and are spread evenly", () => {
  const bins = new Array(16).fill(0)
  for (let i = 0; i < 16_000; i++) {
    const x = uniformAt(i, 3, 1, 2)
    assert(x >= 0 && x < 1 && Math.fround(x) === x)
    bins[Math.floor(16 * x)]++
  }
  for (const count of bins) assert(Math.abs(count - 1000) < 150, `${bins}`)
  assert(uniformAt(0, 3, 1, 2) !== uniformAt(0, 4, 1, 2))
})
