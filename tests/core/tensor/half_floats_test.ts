import { assertEquals } from "@std/assert"
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "../../../core/tensor/half_floats.ts"

/** Value of a half float by the definition. */
function f16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
}

const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits)
const same = (a: number, b: number) => Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b))

Deno.test("every half float widens exactly and narrows back to itself", () => {
  const wide = new Uint32Array(65536)
  widenF16(all, wide)
  const values = new Float32Array(wide.buffer)
  for (let bits = 0; bits < 65536; bits++) {
    if (!same(values[bits], f16(bits))) throw new Error(`${bits}: ${values[bits]} instead of ${f16(bits)}`)
  }
  const back = new Uint16Array(65536)
  narrowF16(wide, back)
  // A signalling NaN becomes a quiet one.
  for (const bits of all) assertEquals(back[bits], Number.isNaN(f16(bits)) ? bits | 0x200 : bits)
})

Deno.test("every bfloat16 widens exactly and narrows back to itself", () => {
  const wide = new Uint32Array(65536)
  widenBF16(all, wide)
  const back = new Uint16Array(65536)
  narrowBF16(wide, back)
  for (const bits of all) {
    assertEquals(wide[bits], (bits * 65536) >>> 0)
    assertEquals(back[bits], (bits & 0x7fff) > 0x7f80 ? bits | 0x40 : bits)
  }
})

Deno.test("widening works in place from the upper half", () => {
  const memory = new ArrayBuffer(4 * 65536)
  const upper = new Uint16Array(memory, 2 * 65536)
  upper.set(all)
  widenF16(upper, new Uint32Array(memory))
  const apart = new Uint32Array(65536)
  widenF16(all, apart)
  assertEquals(new Uint32Array(memory), apart)
})

/** Bits of a value, as 32-bit float. */
const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]

Deno.test("narrowing rounds to nearest, ties to even, on both sides of every middle", () => {
  const from: Array<number> = []
  const to: Array<number> = []
  // Between each finite half float and the next: the middle is exact in 32 bits.
  for (let bits = 0; bits < 0x7c00; bits++) {
    const next = bits === 0x7bff ? 65536 : f16(bits + 1)
    const middle = bitsOf((f16(bits) + next) / 2)
    from.push(middle - 1, middle, middle + 1)
    to.push(bits, bits % 2 === 0 ? bits : bits + 1, bits + 1)
  }
  for (const sign of [0, 1]) {
    const narrow = new Uint16Array(from.length)
    narrowF16(Uint32Array.from(from, (bits) => bits + sign * 2 ** 31), narrow)
    assertEquals(narrow, Uint16Array.from(to, (bits) => bits + sign * 0x8000))
  }
})

Deno.test("narrowing to bfloat16 rounds to nearest, ties to even", () => {
  const narrow = new Uint16Array(5)
  narrowBF16(Uint32Array.of(0x3f807fff, 0x3f808000, 0x3f808001, 0x3f818000, 0x7f7fffff), narrow)
  assertEquals([...narrow], [0x3f80, 0x3f80, 0x3f81, 0x3f82, 0x7f80])
})
