/**
 * GGUF's encodings in blocks: their bytes beside those of the gguf package, their code on both backends.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert"
import { type BackendService, ops } from "@espalier/espalier"
import { build } from "@espalier/espalier/plugin"
import { GGML_TYPES } from "../../../core/formats/gguf/ggml_types.ts"
import { type BlockEncoding, inBlocks } from "../../../kernels/encoding.ts"
import { Q4_0 } from "../../../kernels/encodings/q4_0.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import { Q4_K } from "../../../kernels/encodings/q4_k.ts"
import { Q5_0 } from "../../../kernels/encodings/q5_0.ts"
import { Q5_1 } from "../../../kernels/encodings/q5_1.ts"
import { Q5_K } from "../../../kernels/encodings/q5_k.ts"
import { Q6_K } from "../../../kernels/encodings/q6_k.ts"
import { Q8_0 } from "../../../kernels/encodings/q8_0.ts"
import { assertProducts, onBoth } from "../../support/blocks.ts"
import { fixture } from "../../support/model_layer.ts"

/** What make.py wrote, in base64. */
interface Blocks {
  readonly decode: Readonly<Record<string, { readonly bytes: string; readonly numbers: string }>>
  readonly encode: Readonly<Record<string, string>>
}
const { decode, encode }: Blocks = JSON.parse(Deno.readTextFileSync(fixture("encodings/blocks.json")))
const bytesOf = (text: string) => Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0))
const floatsOf = (text: string) => new Float32Array(bytesOf(text).buffer)
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

const encodings: ReadonlyArray<BlockEncoding> = [Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K]
/** With encoders, and what bytes they make of the sines of 1 to 32. */
const encoders: ReadonlyArray<readonly [BlockEncoding, string]> = [
  [Q4_0, "00300f2f99f2f0861d1f7be4f0a43b0f5dc6"],
  [Q4_1, "3f3000bc0e2e99e2e0751c1f7bd3f0a33b0f4cc5"],
  [Q8_0, "08206b7312a086dd537e34bb81bc357e53db86a113746aff958def617922ac83cd46"],
]

const encoded = (encoding: BlockEncoding, data: Float32Array): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(data.length / encoding.block * encoding.blockBytes)
  encoding.encode!(data, bytes)
  return bytes
}
const decoded = ({ block, blockBytes, decode }: BlockEncoding, bytes: Uint8Array): Float32Array => {
  const data = new Float32Array(bytes.length / blockBytes * block)
  decode.reference(bytes, data)
  return data
}

Deno.test("FEATURES.md lists the encodings of GGUF", () => {
  const [, text] = Deno.readTextFileSync(new URL("../../../FEATURES.md", import.meta.url)).split("of GGUF\n")
  const [, , ...rows] = text.split("\n## ")[0].split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
  const yes = (value: unknown) => value === undefined ? "no" : "yes"
  assertEquals(
    rows,
    encodings.map((
      { name, block, blockBytes, encode, affine },
    ) => [name, `${block}`, `${blockBytes}`, yes(encode), yes(affine)]),
  )
  assertEquals(
    GGML_TYPES.flatMap(({ encoding }) => encoding !== undefined && inBlocks(encoding) ? [encoding] : []),
    encodings,
  )
})

for (const encoding of encodings) {
  const { name } = encoding
  const bytes = bytesOf(decode[name].bytes), want = floatsOf(decode[name].numbers)

  Deno.test(`${name}: numbers of bytes as the gguf package reads them`, () => {
    assertEquals(decoded(encoding, bytes), want)
  })

  onBoth(`${name}: numbers of bytes, with the same bits`, async (backend) => {
    assertEquals(await decodedBy(backend, encoding, bytes), want)
  })

  onBoth(`${name}: products forward and by their input`, async (backend) => {
    const { block, blockBytes } = encoding
    const widths = block === 32 ? [64, 96, 3136] : [256, 768, 3072]
    const sizes = [
      [5, 24, widths[0]],
      [70, 40, widths[0]],
      [1, 27, widths[1]],
      [20, 27, widths[1]],
      [3, 9, widths[2]],
      [8, 13, block],
    ]
    // A CPU in disguise compiles each form of shader for long; forms of shaders read all encodings alike.
    for (const [m, n, k] of backend.info.name === "wasm" ? sizes : sizes.slice(0, 1)) {
      await assertProducts(backend, encoding, [m, n, k], someBytes(encoding, n * k / block * blockBytes))
    }
  })
}

/** Blocks with scales of about 0.01 and any codes. */
function someBytes({ name, blockBytes }: BlockEncoding, length: number): Uint8Array<ArrayBuffer> {
  let state = 7
  const bytes = Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
  const scales = name === "Q6_K" ? [208] : name.endsWith("_1") || name.endsWith("_K") ? [0, 2] : [0]
  for (let block = 0; block < length; block += blockBytes) {
    for (const at of scales) bytes[block + at + 1] = bytes[block + at + 1] & 0x81 | 0x20
  }
  return bytes
}

/** What a program reads. */
async function decodedBy(backend: BackendService, encoding: BlockEncoding, bytes: Uint8Array<ArrayBuffer>) {
  const count = bytes.length / encoding.blockBytes
  const slot = backend.allocate("weights", [count, encoding.block], "f32", encoding)
  await backend.write(slot, bytes)
  const executable = await backend.compile(
    build({ name: "read", outputs: { negated: ops.neg(ops.slot(slot)) }, updates: [] }),
  )
  const { negated } = await executable.run({})
  executable.dispose()
  backend.free(slot)
  return Float32Array.from(negated, (value) => -value)
}

for (const [encoding, sines] of encoders) {
  const { name } = encoding

  Deno.test(`${name}: bytes of numbers as the gguf package writes them`, () => {
    assertEquals(hex(encoded(encoding, Float32Array.from({ length: 32 }, (_, i) => Math.sin(i + 1)))), sines)
    assertEquals(encoded(encoding, floatsOf(encode.numbers)), bytesOf(encode[name]))
  })

  Deno.test(`${name}: the largest numbers do not become infinite, those from the limit on may`, () => {
    const below = Math.fround(encoding.overflow! * (1 - 2 ** -20))
    const data = Float32Array.from({ length: 32 }, (_, i) => i % 2 ? below : -below / 2)
    assert(decoded(encoding, encoded(encoding, data)).every(Number.isFinite))
    data.fill(encoding.overflow!)
    assert(!decoded(encoding, encoded(encoding, data)).every(Number.isFinite))
  })

  Deno.test(`${name}: a block with a number that is not finite is seen to be broken`, () => {
    for (const wrong of [NaN, Infinity, -Infinity]) {
      const data = Float32Array.from({ length: 32 }, (_, i) => i === 5 ? wrong : i - 7)
      assert(!decoded(encoding, encoded(encoding, data)).every(Number.isFinite), `${wrong}`)
    }
  })

  Deno.test(`${name}: numbers too small for any scale become 0`, () => {
    assertEquals(
      decoded(encoding, encoded(encoding, Float32Array.from({ length: 32 }, (_, i) => i * 1e-44))).map(Math.abs),
      new Float32Array(32),
    )
  })
}

for (const encoding of [Q4_1, Q5_1]) {
  Deno.test(`${encoding.name}: what is added to offsets is added to the numbers, and codes stay`, () => {
    const bytes = someBytes(encoding, 3 * encoding.blockBytes), before = decoded(encoding, bytes)
    const { offsets, addOffsets } = encoding.affine!
    const first = offsets(bytes)
    assertEquals(Array.from(first), [0, 1, 2].map((block) => offsetOf(encoding, bytes, block)))
    addOffsets(bytes, Float32Array.of(0.25, 0, -3))
    const added = offsets(bytes).map((offset, block) => offset - first[block])
    ;[0.25, 0, -3].forEach((delta, block) =>
      assert(Math.abs(added[block] - delta) <= 2 ** -10, "rounded to half precision")
    )
    decoded(encoding, bytes).forEach((value, i) =>
      assert(Math.abs(value - before[i] - added[Math.floor(i / 32)]) < 1e-6)
    )
    assertThrows(() => addOffsets(bytes, Float32Array.of(0, 0, 1e5)), RangeError, "half precision")
  })
}

/** The number for the code 0: the least of a block where its scale is positive. */
function offsetOf(encoding: BlockEncoding, bytes: Uint8Array, block: number): number {
  const codes = bytes.slice(block * encoding.blockBytes, (block + 1) * encoding.blockBytes)
  codes.fill(0, 4)
  return decoded(encoding, codes)[0]
}
