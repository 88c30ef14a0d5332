import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { GGML_TYPES } from "../../../../core/formats/gguf/ggml_types.ts"
import { openGguf, readRows } from "../../../../core/formats/gguf/gguf_file.ts"
import type { GgufMetadata, GgufTensorInfo, GgufValue } from "../../../../core/formats/gguf/gguf_types.ts"
import { padding } from "../../../../core/formats/gguf/byte_sink.ts"
import { encodeGgufHeader, tensorBytes } from "../../../../core/formats/gguf/gguf_header_writer.ts"
import { allocated, generator, inDirectory, run } from "../support.ts"

const random = generator(20_261_130)
const below = (n: number) => Math.floor(random() * n)
const pick = <T>(items: ReadonlyArray<T>): T => items[below(items.length)]
const texts = () =>
  Array.from({ length: below(20) }, () => pick(["", "▁the", "é", "<|im_end|>", "a".repeat(below(40))]))
const readable = GGML_TYPES.filter(({ encoding }) => encoding !== undefined)

const VALUES: ReadonlyArray<() => GgufValue> = [
  () => ({ type: "uint32", value: below(1000) }),
  () => ({ type: "float32", value: random() }),
  () => ({ type: "bool", value: random() < 0.5 }),
  () => ({ type: "uint64", value: BigInt(below(1000)) }),
  () => ({ type: "string", value: texts().join(" ") }),
  () => ({ type: "array", value: { of: "string", items: texts() } }),
  () => ({ type: "array", value: { of: "int32", items: Int32Array.from({ length: below(20) }, () => below(9)) } }),
  () => ({ type: "array", value: { of: "bool", items: [true, false] } }),
  () => ({
    type: "array",
    value: { of: "array", items: [{ of: "float32", items: [0.5] }, { of: "string", items: [] }] },
  }),
]

/** A well-formed file with a few values and tensors of all readable types, and where its tensors begin. */
function wellFormed(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly header: number } {
  const metadata: GgufMetadata = new Map([
    ["general.architecture", { type: "string", value: "test" }],
    ["general.alignment", { type: "uint32", value: pick([8, 32, 64]) }],
    ...Array.from({ length: below(8) }, (_, i): [string, GgufValue] => [`test.value_${i}`, pick(VALUES)()]),
  ])
  const tensors = Array.from({ length: below(6) }, (_, i): GgufTensorInfo => {
    const type = pick(readable)
    const shape = [...Array.from({ length: below(3) }, () => 1 + below(4)), type.encoding!.block * (1 + below(3))]
    return { name: `blk.${i}.weight`, shape, type }
  })
  const header = encodeGgufHeader(metadata, tensors, "fuzz")
  const ends = tensors.map((tensor) => tensorBytes(tensor) + padding(tensorBytes(tensor), header.alignment))
  const bytes = new Uint8Array(header.bytes.length + ends.reduce((sum, end) => sum + end, 0))
  bytes.set(header.bytes)
  return { bytes, header: header.bytes.length }
}

const LONG = [
  0n,
  1n,
  2n,
  3n,
  4n,
  13n,
  30n,
  255n,
  2n ** 16n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
]

type Mutation = (bytes: Uint8Array<ArrayBuffer>, header: number) => Uint8Array<ArrayBuffer>
const without = (bytes: Uint8Array, from: number, to: number, between = new Uint8Array()) =>
  Uint8Array.from([...bytes.subarray(0, from), ...between, ...bytes.subarray(to)])

const MUTATIONS: ReadonlyArray<Mutation> = [
  (bytes) => bytes.slice(0, below(bytes.length)),
  (bytes, header) => bytes.slice(0, below(header)),
  (bytes, header) => {
    for (let flips = 1 + below(4); flips > 0; flips--) bytes[below(header)] ^= 1 << below(8)
    return bytes
  },
  // A number of the header: version, counts, lengths, types, extents, places, or bytes of several.
  (bytes, header) => {
    if (header >= 8) new DataView(bytes.buffer).setBigUint64(pick([8, 16, below(header - 7)]), pick(LONG), true)
    return bytes
  },
  (bytes, header) => {
    if (header >= 4) new DataView(bytes.buffer).setUint32(below(header - 3), Number(pick(LONG) & 0xffffffffn), true)
    return bytes
  },
  (bytes, header) => {
    const from = below(header)
    return without(bytes, from, from + 1 + below(16))
  },
  (bytes, header) => {
    const from = below(header)
    return without(bytes, from, from, bytes.slice(0, below(40)))
  },
  (bytes, header) => {
    const from = below(header), to = below(header)
    bytes.copyWithin(to, from, Math.min(from + below(64), header))
    return bytes
  },
  // A type that ggml has and nothing here reads, or none at all.
  (bytes, header) => {
    const view = new DataView(bytes.buffer)
    const places = Array.from({ length: Math.max(0, header - 12) }, (_, at) => at)
      .filter((at) => readable.some(({ id }) => id === view.getUint32(at, true)) && view.getUint32(at + 8, true) === 0)
    if (places.length > 0) view.setUint32(pick(places), pick([4, 10, 16, 29, 39, 77]), true)
    return bytes
  },
  (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(1 + below(64))]),
]

/** Reads all that a file holds. */
const readEverything = (path: string) =>
  Effect.gen(function* () {
    const { metadata, tensors } = yield* openGguf(path)
    yield* Effect.try({
      try: () => JSON.stringify([...metadata], (_, value) => typeof value === "bigint" ? `${value}` : value),
      catch: (error) => error,
    })
    for (const tensor of tensors.values()) {
      const rows = tensor.shape.slice(0, -1).reduce((product, extent) => product * extent, 1)
      const bytes = yield* readRows(path, tensor, 0, tensor.byteLength === 0 ? 0 : rows)
      assertEquals(bytes.length, tensor.byteLength)
    }
  })

Deno.test("2,000 truncated and mutated files: read, or refused with a typed error, within twice the file's size", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/fuzz.gguf`
    const outcomes = new Map<string, number>()
    for (let i = 0; i < 2000; i++) {
      const { bytes: before, header } = wellFormed()
      const untouched = i % 20 === 0
      let bytes = before
      if (!untouched) {
        for (let n = 1 + below(2); n > 0 && bytes.length > 16; n--) {
          bytes = pick(MUTATIONS)(bytes, Math.min(header, bytes.length))
        }
      }
      Deno.writeFileSync(path, bytes)
      let outcome = "read"
      // Anything but this error, a crash included, rejects and ends the test.
      const reading = readEverything(path).pipe(
        Effect.timeout(2000),
        Effect.catch((error) =>
          typeof error === "object" && error !== null && "_tag" in error && error._tag === "GgufError" &&
            "reason" in error
            ? Effect.sync(() => void (outcome = String(error.reason)))
            : Effect.die(error)
        ),
      )
      const used = await allocated(() => run(reading))
      assert(used <= 2 * bytes.length, `file ${i}: ${used} bytes allocated for ${bytes.length}`)
      if (untouched) assertEquals([outcome, used >= 8], ["read", true])
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    // The mutations reach all the checks, and do not all stop at the first one.
    for (const kind of ["read", "Truncated", "Header", "Type", "Shape"]) {
      assert((outcomes.get(kind) ?? 0) >= 20, `${kind}: ${JSON.stringify([...outcomes])}`)
    }
  }))
