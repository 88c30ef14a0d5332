import { assertEquals, assertThrows } from "@std/assert"
import { DYNAMIC_MAP, quantizeScales } from "../../../kernels/encodings/double_quantization.ts"
import { nf4, nf4Scales } from "../../../kernels/encodings/nf4.ts"

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

Deno.test("codes are those of bitsandbytes, the first of two in the upper half of a byte", () => {
  const bytes = new Uint8Array(36)
  nf4().encode!(Float32Array.from({ length: 64 }, (_, i) => Math.sin(i + 1)), bytes)
  assertEquals(nf4Scales(bytes, 64), Float32Array.of(0.9999902248382568))
  assertEquals(hex(bytes.subarray(4)), "ef9104efc202cfe4019fe7106efa103dfd301bfe5017ef9104efc202cfd4019f")
})

Deno.test("the map of scales has the bits of bitsandbytes", async () => {
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new Uint8Array(DYNAMIC_MAP.buffer as ArrayBuffer)),
  )
  assertEquals(hex(digest.subarray(0, 8)), "e732639a65f497b4")
})

Deno.test("scales are quantized as bitsandbytes does it", () => {
  const weights = Float32Array.from({ length: 32768 }, (_, i) => Math.sin(i + 1) * (1 + 0.5 * Math.cos((i + 1) / 997)))
  const bytes = new Uint8Array(512 * 36)
  nf4().encode!(weights, bytes)
  const { codes, scales, offset } = quantizeScales(nf4Scales(bytes, 64))
  assertEquals(codes.length, 512)
  assertEquals([...codes.subarray(0, 8)], [249, 248, 248, 247, 246, 245, 244, 242])
  assertEquals(offset, 1.0211215019226074)
  assertEquals([...scales].map((scale) => scale.toFixed(8)), ["0.52121305", "0.52163440"])
  const mean = () => {
    const back = new Float32Array(weights.length)
    nf4().decode.reference(bytes, back)
    return weights.reduce((sum, weight, i) => sum + Math.abs(weight - back[i]), 0) / weights.length
  }
  assertEquals(mean().toFixed(8), "0.04569329")
  nf4().settle!(bytes)
  assertEquals(mean().toFixed(8), "0.04576491")
})

Deno.test("blocks of zeros stay zeros, and block sizes that there are not are refused", () => {
  const bytes = new Uint8Array(2 * 20), back = new Float32Array(64).fill(1)
  nf4({ blockSize: 32 }).encode!(new Float32Array(64), bytes)
  nf4({ blockSize: 32 }).settle!(bytes)
  nf4({ blockSize: 32 }).decode.reference(bytes, back)
  assertEquals(back, new Float32Array(64))
  assertThrows(() => nf4({ blockSize: 48 }), RangeError, "got 48")
})

interface Recorded {
  readonly count: number
  readonly seed: number
  readonly spread: number
  readonly blocksize: number
  readonly codes: string
  readonly scales: string
  readonly absmax: string
  readonly nested: string
  readonly offset: number
  readonly decoded: string
}

/** Sums of uniform numbers, some of them large, as `make_codes.py` beside the fixture makes them. */
function weightsOf({ count, seed, spread }: Recorded): Float32Array {
  let state = Math.imul(seed, 2654435761) >>> 0
  return Float32Array.from({ length: count }, () => {
    let total = 0
    for (let i = 0; i < 4; i++) {
      state = Math.imul(state, 1664525) + 1013904223 >>> 0
      total += (state >>> 12) / 2 ** 20 - 0.5
    }
    return total * (state % 997 === 0 ? spread : 1)
  })
}

Deno.test("codes, scales, their codes and what they decode to have the bytes of bitsandbytes", async () => {
  const url = new URL("../../fixtures/bitsandbytes/codes.json", import.meta.url)
  const cases: ReadonlyArray<Recorded> = JSON.parse(await Deno.readTextFile(url))
  const digest = async (data: Float32Array | Uint8Array) =>
    hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(data.buffer as ArrayBuffer)))).slice(0, 16)
  for (const wanted of cases) {
    const { count, seed, spread, blocksize: blockSize } = wanted
    const { encode, settle, decode, blockBytes } = nf4({ blockSize })
    const bytes = new Uint8Array(count / blockSize * blockBytes)
    encode!(weightsOf(wanted), bytes)
    const codes = bytes.filter((_, i) => i % blockBytes >= 4), plain = nf4Scales(bytes, blockSize)
    const { codes: absmax, scales: nested, offset } = quantizeScales(plain)
    settle!(bytes)
    const decoded = new Float32Array(count)
    decode.reference(bytes, decoded)
    const got = { codes, scales: plain, absmax, nested, decoded }
    const digests = await Promise.all(
      Object.entries(got).map(async ([name, data]) => [name, await digest(data)] as const),
    )
    assertEquals(
      { count, seed, spread, blocksize: blockSize, offset, ...Object.fromEntries(digests) },
      wanted as object,
    )
  }
})
