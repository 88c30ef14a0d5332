import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { encodeSafetensors, parseHeader, SafetensorsError } from "../../../core/formats/safetensors/safetensors.ts"
import { fileOf } from "./support.ts"

const entry = (dtype: string, shape: string, offsets: string) =>
  `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${offsets}]}`

function rejected(bytes: Uint8Array, fileSize = bytes.length): SafetensorsError {
  try {
    parseHeader(bytes, fileSize, "x.safetensors")
  } catch (error) {
    if (error instanceof SafetensorsError) return error
    throw error
  }
  throw new Error("was accepted")
}

Deno.test("a header gives names, types, shapes, places and metadata", () => {
  const json = `{ "__metadata__" : {"format":"pt"}, "b\\u00e9.w":${entry("I64", "2, 1", "4,20")},"a":${
    entry("F32", "", "0,4")
  },"none":${entry("F16", "3,0", "20,20")}} \n `
  const { tensors, metadata } = parseHeader(fileOf(json, 20), 8 + json.length + 20, "f")
  const start = 8 + json.length
  assertEquals([...metadata], [["format", "pt"]])
  assertEquals([...tensors.values()], [
    { name: "bé.w", dtype: "I64", shape: [2, 1], file: "f", byteOffset: start + 4, byteLength: 16 },
    { name: "a", dtype: "F32", shape: [], file: "f", byteOffset: start, byteLength: 4 },
    { name: "none", dtype: "F16", shape: [3, 0], file: "f", byteOffset: start + 20, byteLength: 0 },
  ])
})

Deno.test("sub-byte types count bits; a name may be __proto__", () => {
  const json = `{"__proto__":${entry("F4", "4", "0,2")},"constructor":${entry("F6_E2M3", "4", "2,5")}}`
  assertEquals([...parseHeader(fileOf(json, 5), 8 + json.length + 5, "f").tensors.keys()], ["__proto__", "constructor"])
})

Deno.test("lengths that the file cannot hold are refused first", () => {
  assertEquals(rejected(new Uint8Array(3)).reason, "Truncated")
  assertEquals(rejected(fileOf("{}", 0, 3n)).reason, "Truncated")
  assertEquals(rejected(fileOf("{}", 0, 2n ** 64n - 1n)).reason, "Header")
  assertEquals(rejected(fileOf("{}", 0, 100_000_001n), 1e12).reason, "Header")
  assertEquals(rejected(fileOf("{}", 0, 100n), 200).reason, "Truncated")
})

const f32 = entry("F32", "2", "0,8")
const cases: ReadonlyArray<readonly [name: string, header: string, data: number, reason: string, says: string]> = [
  ["empty header", "", 0, "Header", "expected"],
  ["space first", ` {"a":${f32}}`, 8, "Header", "expected"],
  ["array", "[]", 0, "Header", "expected"],
  ["unclosed", `{"a":${f32}`, 8, "Header", '"}" expected'],
  ["trailing comma", `{"a":${f32},}`, 8, "Header", "expected"],
  ["something after", `{"a":${f32}}x`, 8, "Header", "closing brace"],
  ["duplicate tensor", `{"a":${f32},"a":${f32}}`, 8, "Header", '"a" stands there twice'],
  ["duplicate by escape", `{"a":${f32},"\\u0061":${f32}}`, 8, "Header", '"a" stands there twice'],
  ["duplicate field", `{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8, "Header", "twice"],
  ["unknown field", `{"a":{"dtype":"F32","x":1,"shape":[2],"data_offsets":[0,8]}}`, 8, "Header", '"x"'],
  ["missing field", `{"a":{"dtype":"F32","shape":[2]}}`, 8, "Header", "lacks"],
  ["metadata not text", `{"__metadata__":{"a":1}}`, 0, "Header", "expected"],
  ["duplicate metadata", `{"__metadata__":{"a":"1","a":"2"}}`, 0, "Header", "twice"],
  ["unknown dtype", `{"a":${entry("F33", "2", "0,8")}}`, 8, "Dtype", '"F33"'],
  ["prototype dtype", `{"a":${entry("toString", "2", "0,8")}}`, 8, "Dtype", "toString"],
  ["negative", `{"a":${entry("F32", "-2", "0,8")}}`, 8, "Header", "non-negative"],
  ["fraction", `{"a":${entry("F32", "2.0", "0,8")}}`, 8, "Header", "expected"],
  ["leading zero", `{"a":${entry("F32", "02", "0,8")}}`, 8, "Header", "starts with 0"],
  ["huge number", `{"a":${entry("F32", "99999999999999999999", "0,8")}}`, 8, "Header", "too large"],
  ["huge product", `{"a":${entry("F32", "4294967296,4294967296", "0,8")}}`, 8, "Shape", "impossible"],
  ["product wraps to fit", `{"a":${entry("F32", "4611686018427387906", "0,8")}}`, 8, "Header", "too large"],
  ["infinite rank", `{"a":${entry("F32", Array(65).fill(1).join(","), "0,4")}}`, 4, "Header", "more than 64"],
  [
    "too many keys",
    `{"__metadata__":{${Array.from({ length: 100_001 }, (_, i) => `"${i}":""`)}}}`,
    0,
    "Header",
    "100000 keys",
  ],
  ["length against shape", `{"a":${entry("F32", "3", "0,8")}}`, 8, "Shape", "12 bytes"],
  ["sub-byte remainder", `{"a":${entry("F4", "3", "0,2")}}`, 2, "Shape", "1.5 bytes"],
  ["offsets reversed", `{"a":${entry("F32", "2", "8,0")}}`, 8, "Header", "start and an end"],
  ["three offsets", `{"a":${entry("F32", "2", "0,8,8")}}`, 8, "Header", "start and an end"],
  ["overlap", `{"a":${f32},"b":${entry("F32", "2", "4,12")}}`, 12, "Header", "overlaps"],
  ["gap", `{"a":${f32},"b":${entry("F32", "1", "12,16")}}`, 16, "Header", "gap"],
  ["not from 0", `{"a":${entry("F32", "2", "4,12")}}`, 12, "Header", "gap"],
  ["past the end", `{"a":${f32}}`, 7, "Truncated", "fetch the file again"],
  ["bytes left over", `{"a":${f32}}`, 9, "Header", "1 bytes follow"],
  ["wrong escape", `{"\\x":${f32}}`, 8, "Header", "escape"],
  ["half a pair", `{"\\ud800":${f32}}`, 8, "Header", "surrogate"],
  ["control character", `{"a\n":${f32}}`, 8, "Header", "control"],
  ["open string", `{"a`, 0, "Header", "does not end"],
  ["escape at the end", `{"a\\`, 0, "Header", "does not end"],
]
for (const [name, header, data, reason, says] of cases) {
  Deno.test(`refused: ${name}`, () => {
    const error = rejected(fileOf(header, data))
    assertEquals([error._tag, error.reason, error.file], ["SafetensorsError", reason, "x.safetensors"])
    assertStringIncludes(error.message, says)
    assertStringIncludes(error.message, "x.safetensors")
  })
}

Deno.test("refused: not UTF-8", () => {
  const json = new TextEncoder().encode(`{"a":${f32}}`)
  json[2] = 0xff
  assertStringIncludes(rejected(fileOf(json, 8)).message, "UTF-8")
})

Deno.test("large hostile headers are refused at once", () => {
  const filler = (text: string) => text.repeat(2_000_000 / text.length)
  for (const header of [`{"a":${filler("[")}`, filler('{"a":'), `{"a":{"shape":[${filler("1,")}`, `{"${filler("a")}`]) {
    const start = performance.now()
    assertEquals(rejected(fileOf(header)).reason, "Header")
    if (performance.now() - start > 2000) throw new Error("too slow")
  }
})

Deno.test("a number that the type of 16 bits cannot hold is an error, infinity is not", () => {
  const write = (dtype: "F16" | "BF16", x: number) =>
    encodeSafetensors([{ name: "w", dtype, shape: [2], data: Float32Array.of(1, x) }])
  for (const [dtype, fits, beyond] of [["F16", 65519, 65520], ["BF16", 3.39e38, 3.4e38]] as const) {
    assert(write(dtype, fits).length > 0)
    assert(write(dtype, Infinity).length > 0)
    assertThrows(() => write(dtype, -beyond), SafetensorsError, `which ${dtype} cannot hold`)
  }
})
