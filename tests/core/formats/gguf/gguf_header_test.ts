import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { NeedsMore } from "../../../../core/formats/gguf/byte_cursor.ts"
import { GGML_TYPES } from "../../../../core/formats/gguf/ggml_types.ts"
import { GgufError } from "../../../../core/formats/gguf/gguf_error.ts"
import { parseGguf } from "../../../../core/formats/gguf/gguf_header.ts"
import { padding } from "../../../../core/formats/gguf/byte_sink.ts"
import { encodeGgufHeader, tensorBytes } from "../../../../core/formats/gguf/gguf_header_writer.ts"
import type { GgufMetadata, GgufTensorInfo } from "../../../../core/formats/gguf/gguf_types.ts"
import { plainMetadata } from "../../../../core/formats/gguf/plain_metadata.ts"
import { fixture } from "../../../support/model_layer.ts"

const tensor = (name: string, shape: ReadonlyArray<number>, type = "F32"): GgufTensorInfo => (
  { name, shape, type: GGML_TYPES.find((one) => one.name === type)! }
)
const usual: ReadonlyArray<GgufTensorInfo> = [
  tensor("a", [2, 32], "Q8_0"),
  tensor("b", [3]),
  tensor("c", [2, 2], "F16"),
]

/** A whole file, its tensors all zeros. */
function file(tensors = usual, metadata: GgufMetadata = new Map()): Uint8Array<ArrayBuffer> {
  const { bytes, alignment } = encodeGgufHeader(metadata, tensors, "m")
  const sizes = tensors.map((one) => tensorBytes(one) + padding(tensorBytes(one), alignment))
  const all = new Uint8Array(sizes.reduce((sum, size) => sum + size, bytes.length))
  all.set(bytes)
  return all
}

/** Where a text stands in a file. */
const find = (bytes: Uint8Array, text: string) =>
  bytes.findIndex((_, at) => [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0)))

/** The error for a file after a change; the change may give another file. */
function refused(
  change: (view: DataView, bytes: Uint8Array) => Uint8Array | void,
  tensors = usual,
  values?: GgufMetadata,
) {
  const bytes = file(tensors, values)
  const changed = change(new DataView(bytes.buffer), bytes) ?? bytes
  try {
    parseGguf(changed, changed.length, "m.gguf")
  } catch (error) {
    assert(error instanceof GgufError, String(error))
    assertStringIncludes(error.message, '"m.gguf"')
    return `${error.reason}: ${error.message}`
  }
  throw new Error("It was not refused")
}

/** Bytes from a tensor's name to its type and to its place, for tensors of two axes. */
const TYPE = 1 + 4 + 16, PLACE = TYPE + 4

Deno.test("a file of the gguf package: all types of values and tensors, and where they lie", () => {
  const bytes = Deno.readFileSync(fixture("gguf/written.gguf"))
  const { metadata, tensors } = parseGguf(bytes, bytes.length, "written.gguf")
  assertEquals(plainMetadata(metadata), {
    "general.architecture": "test",
    "a.uint8": 255,
    "a.int8": -128,
    "a.uint16": 65535,
    "a.int16": -32768,
    "a.uint32": 4294967295,
    "a.int32": -2147483648,
    "a.float32": 0.1,
    "a.bool": true,
    "a.string": "\u00f6\u0000\u{1f600}",
    "a.uint64": "18446744073709551615",
    "a.int64": "-9223372036854775808",
    "a.float64": 0.1,
    "b.strings": ["", "\u2581a", "\u00e9"],
    "b.ints": [1, -2, 3],
    "b.floats": [0.5, -1],
    "b.bools": [true, false],
    "general.alignment": 64,
  })
  const all = [...tensors.values()]
  assertEquals(all.map(({ name, shape, type }) => [name, [...shape], type.name]), [
    ["f32.weight", [5], "F32"],
    ["f16.weight", [2, 3], "F16"],
    ["bf16.weight", [2, 1, 3, 5], "BF16"],
    ["q8_0.weight", [3, 32], "Q8_0"],
    ["q4_0.weight", [1, 64], "Q4_0"],
    ["q4_1.weight", [3, 2, 32], "Q4_1"],
    ["q6_k.weight", [1, 256], "Q6_K"],
  ])
  assert(all.every(({ byteOffset }) => byteOffset % 64 === 0))
  const { byteOffset, byteLength } = tensors.get("q6_k.weight")!
  assertEquals(bytes.slice(byteOffset, byteOffset + byteLength), Uint8Array.from({ length: 210 }, (_, i) => i))
})

Deno.test("version 2 is read as 3; a beginning of a file that ends within the header asks for more", () => {
  const bytes = file()
  bytes[4] = 2
  assertEquals([...parseGguf(bytes, bytes.length, "m").tensors.keys()], ["a", "b", "c"])
  for (const length of [0, 7, 30, 60]) {
    try {
      parseGguf(bytes.subarray(0, length), bytes.length, "m")
      throw new Error("It did not ask")
    } catch (error) {
      assert(error instanceof NeedsMore, String(error))
    }
  }
})

Deno.test("files of other kinds, versions and byte orders are said", () => {
  const version = (value: number, little = true) => refused((view) => view.setUint32(4, value, little))
  assertStringIncludes(version(1), "version 1 is not read: convert the model again")
  assertStringIncludes(version(3, false), "it is big-endian, which is not read")
  assertStringIncludes(version(4), "its version is 4; 2 and 3 are read")
  const starting = (text: string) => refused((_, bytes) => bytes.set(new TextEncoder().encode(text)))
  assertStringIncludes(starting("versi"), "this is a pointer of Git LFS")
  assertStringIncludes(starting("<htm"), "this is a web page")
  assertStringIncludes(starting("lmgg"), "of the time before GGUF")
  assertStringIncludes(starting("PK.."), 'it must begin with "GGUF"')
  assertStringIncludes(refused((_, bytes) => bytes.subarray(0, 3)), "Truncated: ")
})

Deno.test("lengths and counts that the file cannot hold are errors before anything of that size is made", () => {
  assertStringIncludes(
    refused((view) => view.setBigUint64(8, 2n ** 60n, true)),
    "the number of tensors is 1152921504606846976",
  )
  assertStringIncludes(refused((view) => view.setBigUint64(16, 2n ** 40n, true)), "the number of metadata values is")
  const values: GgufMetadata = new Map([["k", { type: "array", value: { of: "uint8", items: [1] } }]])
  const count = refused((view, bytes) => view.setBigUint64(find(bytes, "k") + 9, 2n ** 50n, true), usual, values)
  assertStringIncludes(count, 'Truncated: "m.gguf": the length of "k" is 1125899906842624')
  const short = refused((_, bytes) => bytes.subarray(0, bytes.length - 40))
  assertStringIncludes(short, 'Truncated: "m.gguf": tensor "c" ends at byte')
})

Deno.test("tensors: types, places and names that cannot be are errors that name the tensor", () => {
  const type = (id: number) => refused((view, bytes) => view.setUint32(find(bytes, "a") + TYPE, id, true))
  assertStringIncludes(type(99), 'Type: "m.gguf": tensor "a" is of type 99, which ggml does not have')
  assertStringIncludes(type(23), 'tensor "a" is IQ4_XS, which is not read; read are F32, F16, ')
  assertStringIncludes(type(14), 'Shape: "m.gguf": tensor "a" [2,32] is Q6_K, whose rows are whole blocks of 256')
  const place = (at: bigint) => refused((view, bytes) => view.setBigUint64(find(bytes, "a") + PLACE, at, true))
  assertStringIncludes(place(7n), 'tensor "a" lies at 7, which is no multiple of the alignment 32')
  assertStringIncludes(place(2n ** 60n), 'Truncated: "m.gguf": tensor "a" ends 1152921504606847044 bytes into')
  assertStringIncludes(place(96n), 'tensors "b" and "a" overlap')
  assertStringIncludes(refused((_, bytes) => void (bytes[find(bytes, "b")] = 0x61)), 'tensor "a" is there twice')
  const long = refused((view, bytes) => view.setBigUint64(find(bytes, "a") - 8, 64n, true))
  assertStringIncludes(long, "the name of tensor 0 has 64 bytes, more than 63")
  const axes = refused((view, bytes) => view.setUint32(find(bytes, "a") + 1, 5, true))
  assertStringIncludes(axes, 'tensor "a" has 5 axes, more than 4')
  const huge = refused((view, bytes) => view.setBigUint64(find(bytes, "a") + 13, 2n ** 60n, true))
  assertStringIncludes(huge, 'tensor "a" has the impossible shape [')
})

Deno.test("metadata: types that are not there, keys twice, alignments that are none", () => {
  const two: GgufMetadata = new Map([["k", { type: "bool", value: true }], ["l", { type: "bool", value: true }]])
  assertStringIncludes(
    refused((_, bytes) => void (bytes[find(bytes, "l")] = 0x6b), [], two),
    'the metadata has "k" twice',
  )
  assertStringIncludes(refused((_, bytes) => void (bytes[find(bytes, "k") + 5] = 2), [], two), "its byte is 2")
  assertStringIncludes(refused((_, bytes) => void (bytes[find(bytes, "k")] = 0xff), [], two), "is no UTF-8 text")
  const odd = refused((view, bytes) => view.setUint32(find(bytes, "k") + 1, 13, true), [], two)
  assertStringIncludes(odd, '"k" is of type 13, which GGUF does not have')
  const aligned: GgufMetadata = new Map([["general.alignment", { type: "uint32", value: 32 }]])
  const change = (view: DataView, bytes: Uint8Array) => view.setUint32(find(bytes, "ment") + 8, 24, true)
  assertStringIncludes(refused(change, [], aligned), "general.alignment must be a power of 2 as a uint32, it is 24")
})
