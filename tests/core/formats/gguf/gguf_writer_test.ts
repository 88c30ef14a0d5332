import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { ByteSink } from "../../../../core/formats/gguf/byte_sink.ts"
import { GGML_TYPES, type GgmlType } from "../../../../core/formats/gguf/ggml_types.ts"
import type { GgufMetadata, GgufValue } from "../../../../core/formats/gguf/gguf_types.ts"
import { type GgufTensorSource, writeGguf } from "../../../../core/formats/gguf/gguf_writer.ts"
import { fixture } from "../../../support/model_layer.ts"
import { inDirectory, run } from "../support.ts"

const typeNamed = (name: string): GgmlType => GGML_TYPES.find((type) => type.name === name)!

/** The values of `make_written.py`, in its order. */
const metadata: GgufMetadata = new Map<string, GgufValue>([
  ["general.architecture", { type: "string", value: "test" }],
  ["a.uint8", { type: "uint8", value: 255 }],
  ["a.int8", { type: "int8", value: -128 }],
  ["a.uint16", { type: "uint16", value: 65535 }],
  ["a.int16", { type: "int16", value: -32768 }],
  ["a.uint32", { type: "uint32", value: 4294967295 }],
  ["a.int32", { type: "int32", value: -2147483648 }],
  ["a.float32", { type: "float32", value: Math.fround(0.1) }],
  ["a.bool", { type: "bool", value: true }],
  ["a.string", { type: "string", value: "ö\u0000😀" }],
  ["a.uint64", { type: "uint64", value: 2n ** 64n - 1n }],
  ["a.int64", { type: "int64", value: -(2n ** 63n) }],
  ["a.float64", { type: "float64", value: 0.1 }],
  ["b.strings", { type: "array", value: { of: "string", items: ["", "▁a", "é"] } }],
  ["b.ints", { type: "array", value: { of: "int32", items: Int32Array.of(1, -2, 3) } }],
  ["b.floats", { type: "array", value: { of: "float32", items: [0.5, -1] } }],
  ["b.bools", { type: "array", value: { of: "bool", items: [true, false] } }],
  ["general.alignment", { type: "uint32", value: 64 }],
])

/** A tensor of numbers sin(i), whole in memory. */
const tensor = (name: string, shape: ReadonlyArray<number>, type: string): GgufTensorSource => ({
  name,
  shape,
  type: typeNamed(type),
  read: (first, count) => Float32Array.from({ length: count }, (_, i) => Math.sin(first + i)),
})
const tensors: ReadonlyArray<GgufTensorSource> = [
  tensor("f32.weight", [5], "F32"),
  tensor("f16.weight", [2, 3], "F16"),
  tensor("bf16.weight", [2, 1, 3, 5], "BF16"),
  tensor("q8_0.weight", [3, 32], "Q8_0"),
  tensor("q4_0.weight", [1, 64], "Q4_0"),
  tensor("q4_1.weight", [3, 2, 32], "Q4_1"),
  { ...tensor("q6_k.weight", [1, 256], "Q6_K"), read: () => Uint8Array.from({ length: 210 }, (_, i) => i) },
]

Deno.test("all types of values and tensors: the bytes that the gguf package writes", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/written.gguf`
    await run(writeGguf(path, metadata, tensors))
    assertEquals(Deno.readFileSync(path), Deno.readFileSync(fixture("gguf/written.gguf")))
  }))

Deno.test("a header grows with its texts, wherever in one the room ends", () => {
  for (const length of [65_500, 65_528, 65_529, 200_000]) {
    const sink = new ByteSink()
    const texts = ["a".repeat(length), "b".repeat(3 * length), "c"]
    texts.forEach((text) => sink.string(text))
    const bytes = sink.bytes()
    let at = 0
    for (const text of texts) {
      assertEquals(new DataView(bytes.buffer).getBigUint64(at, true), BigInt(text.length))
      const written = new TextDecoder().decode(bytes.subarray(at + 8, at + 8 + text.length))
      assert(written === text, `text of ${text.length} bytes`)
      at += 8 + text.length
    }
    assertEquals(bytes.length, at)
  }
})

Deno.test("tensors are asked for in pieces of whole blocks", () =>
  inDirectory(async (directory) => {
    const asked: Array<readonly [number, number]> = []
    const one = { ...tensor("w", [600, 1024], "Q4_1") }
    const read: typeof one.read = (first, count) => {
      asked.push([first, count])
      return one.read(first, count)
    }
    await run(writeGguf(`${directory}/a.gguf`, new Map(), [{ ...one, read }]))
    assertEquals(asked, [[0, 262144], [262144, 262144], [524288, 90112]])
    assertEquals(Deno.statSync(`${directory}/a.gguf`).size % 32, 0)
  }))

/** What is refused, by its message. */
const refused: ReadonlyArray<
  readonly [RegExp, ReadonlyArray<readonly [string, GgufValue]>, ReadonlyArray<GgufTensorSource>]
> = [
  [/"a" holds 256, which is no uint8/, [["a", { type: "uint8", value: 256 }]], []],
  [/"a" holds 1.5, which is no int32/, [["a", { type: "array", value: { of: "int32", items: [1, 1.5] } }]], []],
  [/"a" holds .*, which is no string/, [["a", { type: "string", value: "\ud800" }]], []],
  [/"general.alignment" is uint32 24: .* power of two/, [["general.alignment", { type: "uint32", value: 24 }]], []],
  [/"" is no key/, [["", { type: "uint8", value: 1 }]], []],
  [/two tensors are named "w"/, [], [tensor("w", [1], "F32"), tensor("w", [1], "F32")]],
  [/name of 64 bytes: 1 to 63/, [], [tensor("é".repeat(32), [1], "F32")]],
  [/cannot be written in Q2_K/, [], [tensor("w", [256], "Q2_K")]],
  [/\[2,48\] cannot be kept in Q8_0: its last axis is no multiple of 32/, [], [tensor("w", [2, 48], "Q8_0")]],
  [/shape \[2,0\]/, [], [tensor("w", [2, 0], "F32")]],
  [/shape \[\]/, [], [tensor("w", [], "F32")]],
  [/numbers, which nothing here encodes as Q6_K: give bytes/, [], [tensor("w", [256], "Q6_K")]],
  [/gives 3 numbers for 4 elements/, [], [{ ...tensor("w", [4], "F32"), read: () => new Float32Array(3) }]],
  [/gives 3 bytes for 4 elements of F16, not 8/, [], [{ ...tensor("w", [4], "F16"), read: () => new Uint8Array(3) }]],
  [/holds 65520, which F16 cannot hold/, [], [{ ...tensor("w", [1], "F16"), read: () => Float32Array.of(65520) }]],
  [/holds NaN, which Q4_1/, [], [{ ...tensor("w", [32], "Q4_1"), read: () => new Float32Array(32).fill(NaN) }]],
  [/"w" for .* could not be had: no disk/, [], [{
    ...tensor("w", [1], "F32"),
    read: () => Promise.reject(new Error("no disk")),
  }]],
]

Deno.test("what cannot be written is a typed error, and an older file stays", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a.gguf`
    Deno.writeTextFileSync(path, "older")
    for (const [message, values, wrong] of refused) {
      const error = await run(Effect.flip(writeGguf(path, new Map(values), [tensor("first", [8], "F32"), ...wrong])))
      assertEquals(error._tag, "GgufError")
      assert(message.test(error.message), `${error.message} is not ${message}`)
      assertEquals(Deno.readTextFileSync(path), "older")
      assertEquals([...Deno.readDirSync(directory)].length, 1)
    }
  }))
