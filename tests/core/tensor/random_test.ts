import { assert, assertEquals, assertThrows } from "@std/assert"
import { makeRng } from "../../../core/tensor/operations/random.ts"

Deno.test("streams repeat, and differ by seed, stream and substream", () => {
  const draw = (...of: [number, number?, number?]) => Array.from({ length: 4 }, makeRng(...of).float).join()
  assertEquals(draw(7, 1, 2), draw(7, 1, 2))
  const others = [draw(7), draw(8), draw(7, 1), draw(7, 0, 1), draw(7 + 2 ** 32)]
  assertEquals(new Set(others).size, others.length)
  assertThrows(() => makeRng(-1), RangeError)
  assertThrows(() => makeRng(0.5), RangeError)
})

Deno.test("uniform and normal moments", () => {
  const rng = makeRng(5)
  const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length
  const uniform = Array.from({ length: 20000 }, rng.float)
  assert(uniform.every((value) => value >= 0 && value < 1))
  assert(Math.abs(mean(uniform) - 0.5) < 0.01)
  const normal = Array.from({ length: 20000 }, rng.normal)
  assert(Math.abs(mean(normal)) < 0.03)
  assert(Math.abs(mean(normal.map((value) => value * value)) - 1) < 0.05)
})

Deno.test("a shuffle is a permutation, and every place is about as likely", () => {
  const counts = new Array(5).fill(0)
  for (let seed = 0; seed < 2000; seed++) {
    const items = [0, 1, 2, 3, 4]
    const shuffled = makeRng(seed).shuffle(items)
    assertEquals(items, [0, 1, 2, 3, 4])
    assertEquals(shuffled.toSorted(), items)
    counts[shuffled.indexOf(0)]++
  }
  assert(counts.every((count) => Math.abs(count - 400) < 80), String(counts))
})
