import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  AssertionError,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert"
import { describe, it } from "@std/testing/bdd"

describe("the stand-in for @std/assert", () => {
  it("passes what holds", async () => {
    assert(1)
    assertExists(0)
    assertEquals(new Float32Array([1, NaN]), new Float32Array([1, NaN]))
    assertNotEquals<unknown>([1], ["1"])
    assertAlmostEquals(0.1 + 0.2, 0.3)
    assertAlmostEquals(Infinity, Infinity)
    assertStringIncludes("abc", "b")
    assertEquals(
      assertThrows(
        () => {
          throw new RangeError("too far")
        },
        RangeError,
        "far",
      ).message,
      "too far",
    )
    await assertRejects(() => Promise.reject(new TypeError("no")), TypeError)
  })

  it("fails what does not hold", async () => {
    const fails = (run: () => void) => assertThrows(run, AssertionError)
    fails(() => assert(0))
    fails(() => assertExists(null))
    fails(() => assertEquals<unknown>(new Float32Array([1]), [1]))
    fails(() => assertNotEquals([1], [1]))
    fails(() => assertAlmostEquals(1, 1.1))
    fails(() => assertAlmostEquals(NaN, 1))
    fails(() => assertStringIncludes("abc", "d"))
    fails(() => assertThrows(() => 1))
    fails(() =>
      assertThrows(() => {
        throw new Error("a")
      }, TypeError)
    )
    await assertRejects(() => assertRejects(() => Promise.resolve()), AssertionError)
    await assertRejects(() => assertRejects(() => Promise.reject(new Error("a")), Error, "b"), AssertionError)
  })
})
