import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { encodeSafetensors, openSafetensors, readTensor } from "../../../core/formats/safetensors/safetensors.ts"
import { allocated, fileOf, generator, inDirectory, run } from "./support.ts"

const random = generator(20_240_607)
const below = (n: number) => Math.floor(random() * n)
const pick = <T>(items: ReadonlyArray<T>): T => items[below(items.length)]

/** A well-formed file with a few tensors of all readable types and odd shapes. */
function wellFormed(): Uint8Array {
  const tensors = Array.from({ length: below(6) }, (_, i) => {
    const shape = Array.from({ length: below(4) }, () => below(9))
    const size = shape.reduce((a, b) => a * b, 1)
    const dtype = pick(["F32", "F16", "BF16"] as const)
    return { name: `layer.${i}.weight`, shape, dtype, data: Float32Array.from({ length: size }, () => random() - 0.5) }
  })
  return encodeSafetensors(tensors, pick([{}, { format: "pt" }]))
}

const HUGE = [
  "-1",
  "0",
  "1e9",
  "4294967296",
  "9007199254740991",
  "9007199254740992",
  "18446744073709551615",
  "1.5",
  "null",
]
const JUNK = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "\\u0000",
  "\u0000",
  "é",
  "null",
  "[[[[[[[[",
  '"a":',
  "F64",
  "I4",
  "\ud83d\ude00",
]

function editHeader(bytes: Uint8Array, edit: (json: string) => string): Uint8Array {
  const length = new DataView(bytes.buffer).getUint32(0, true)
  const json = new TextDecoder().decode(bytes.subarray(8, 8 + length))
  return fileOf(edit(json), bytes.subarray(8 + length))
}

const replaceNumber = (json: string): string => {
  const numbers = [...json.matchAll(/\d+/g)]
  if (numbers.length === 0) return json
  const { index, 0: text } = pick(numbers)
  const number = random() < 0.5 ? pick(HUGE) : String(Number(text) + pick([-4, -2, -1, 1, 2, 4, 64]))
  return json.slice(0, index) + number + json.slice(index + text.length)
}

const MUTATIONS: ReadonlyArray<(bytes: Uint8Array) => Uint8Array> = [
  (bytes) => bytes.slice(0, below(bytes.length)),
  (bytes) => {
    for (let flips = 1 + below(4); flips > 0; flips--) bytes[below(bytes.length)] ^= 1 << below(8)
    return bytes
  },
  (bytes) => {
    bytes[below(8)] = below(256)
    return bytes
  },
  (bytes) => {
    const length = pick([
      0n,
      1n,
      7n,
      BigInt(bytes.length),
      BigInt(bytes.length - 8),
      99_999_999n,
      2n ** 31n,
      2n ** 63n,
      2n ** 64n - 1n,
    ])
    new DataView(bytes.buffer).setBigUint64(0, length, true)
    return bytes
  },
  (bytes) =>
    editHeader(bytes, (json) => {
      const at = below(json.length)
      return json.slice(0, at) + pick(JUNK) + json.slice(at + below(4))
    }),
  (bytes) => editHeader(bytes, replaceNumber),
  (bytes) =>
    editHeader(
      bytes,
      (json) =>
        json.replace(
          /"(dtype|shape|data_offsets|F32|F16|BF16|layer\.1\.weight)"/,
          pick(['"dtype"', '"F64"', '"BOOL"', '"F4"', '"layer.0.weight"', '"__metadata__"', "7"]),
        ),
    ),
  (bytes) =>
    editHeader(bytes, (json) => json.replace(/\[([\d,]*)\]/, (_, list) => `[${list}${",9".repeat(below(100))}]`)),
  (bytes) => {
    const longer = new Uint8Array(bytes.length + 1 + below(64))
    longer.set(bytes)
    return longer
  },
]

Deno.test("2,000 mutated files: read, or refused with a typed error, within twice the file's size", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/fuzz.safetensors`
    const outcomes = new Map<string, number>()
    for (let i = 0; i < 2000; i++) {
      let bytes = wellFormed()
      const untouched = i % 20 === 0
      if (!untouched) { for (let n = 1 + below(2); n > 0 && bytes.length > 8; n--) bytes = pick(MUTATIONS)(bytes) }
      Deno.writeFileSync(path, bytes)
      let outcome = "read"
      const readEverything = Effect.gen(function* () {
        const { tensors } = yield* openSafetensors(path)
        for (const entry of tensors.values()) {
          let elements = 0
          yield* readTensor(entry, (data) => void (elements += data.length))
          assertEquals(elements, entry.shape.reduce((a, b) => a * b, 1))
        }
      }).pipe(
        Effect.timeout(2000),
        // Anything but this error, a crash included, rejects and ends the test.
        Effect.catchTag("SafetensorsError", (error) => Effect.sync(() => void (outcome = error.reason))),
      )
      const used = await allocated(() => run(readEverything))
      assert(used <= 2 * bytes.length, `file ${i}: ${used} bytes allocated for ${bytes.length}`)
      if (untouched) assertEquals([outcome, used >= 8], ["read", true])
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    // The mutations reach all the checks, and do not all stop at the first one.
    for (const kind of ["read", "Truncated", "Header", "Dtype", "Shape"]) {
      assert((outcomes.get(kind) ?? 0) >= 20, `${kind}: ${JSON.stringify([...outcomes])}`)
    }
  }))
