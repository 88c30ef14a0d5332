/**
 * Thousands of blocks in GGUF's encodings, decoded and encoded beside the gguf package, and a file that the package reads back:
 * part of `deno task conformance`, under the name `blocks`.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { type BlockEncoding, inBlocks } from "../../../kernels/encoding.ts"
import { GGML_TYPES, type GgmlType } from "../../../core/formats/gguf/ggml_types.ts"
import type { GgufValue } from "../../../core/formats/gguf/gguf_types.ts"
import { type GgufTensorSource, writeGguf } from "../../../core/formats/gguf/gguf_writer.ts"
import { execute, pythonEnvironment, scripts, workspace } from "../environment.ts"

/** A type whose encoding has blocks. */
type BlockType = GgmlType & { readonly encoding: BlockEncoding }
const types = GGML_TYPES.filter((type): type is BlockType => type.encoding !== undefined && inBlocks(type.encoding))

/** Metadata of the file that the package reads back. */
const metadata: ReadonlyMap<string, GgufValue> = new Map<string, GgufValue>([
  ["general.architecture", { type: "string", value: "test" }],
  ["test.text", { type: "string", value: "▁é😀" }],
  ["test.large", { type: "uint64", value: 2n ** 50n }],
  ["test.float", { type: "float32", value: 0.25 }],
  ["test.texts", { type: "array", value: { of: "string", items: ["", "<s>", "▁a"] } }],
  ["test.kinds", { type: "array", value: { of: "int32", items: Int32Array.of(1, -3) } }],
  ["general.alignment", { type: "uint32", value: 64 }],
])
const plain = (value: unknown): unknown => typeof value === "bigint" ? Number(value) : value
const fieldOf = ({ type, value }: GgufValue): unknown =>
  type === "array" ? Array.from<unknown>(value.items).map(plain) : plain(value)

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** How many of these differ, in words; nothing where all are equal. */
function differences(what: string, got: ArrayLike<number>, want: ArrayLike<number>): Array<string> {
  if (got.length !== want.length) return [`${what}: ${got.length} of ${want.length} elements`]
  const wrong = Array.from(want, (_, i) => i).filter((i) => got[i] !== want[i])
  return wrong.length === 0 ? [] : [`${what}: ${wrong.length} of ${want.length} differ, the first is ${wrong[0]}`]
}

const bitsOf = (numbers: Float32Array) => new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)

/** What is decoded and encoded otherwise than the package does it; bits that differ in the sign of a zero count. */
function compareType({ name, encoding }: BlockType, directory: string): Array<string> {
  const read = (file: string) => Deno.readFileSync(`${directory}/${file}`)
  const bytes = read(`${name}.bytes`)
  const decoded = new Float32Array(bytes.length / encoding.blockBytes * encoding.block)
  encoding.decode.reference(bytes, decoded)
  const found = differences(`${name} decoded`, bitsOf(decoded), new Uint32Array(read(`${name}.numbers`).buffer))
  if (encoding.encode === undefined) return found
  const numbers = new Float32Array(read("numbers").buffer)
  const encoded = new Uint8Array(numbers.length / encoding.block * encoding.blockBytes)
  encoding.encode(numbers, encoded)
  return [...found, ...differences(`${name} encoded`, encoded, read(`${name}.encoded`))]
}

/** What the package reads otherwise than it was written. */
async function compareFile(python: string, directory: string): Promise<Array<string>> {
  const bytes = new Map(types.map(({ name }) => [name, Deno.readFileSync(`${directory}/${name}.bytes`)]))
  const tensors = types.map((type): GgufTensorSource => ({
    name: `blk.0.${type.name}.weight`,
    shape: [bytes.get(type.name)!.length / type.encoding.blockBytes, type.encoding.block],
    type,
    read: (first, count) => {
      const { block, blockBytes } = type.encoding
      return bytes.get(type.name)!.slice(first / block * blockBytes, (first + count) / block * blockBytes)
    },
  }))
  const path = `${directory}/written.gguf`
  await Effect.runPromise(Effect.provide(writeGguf(path, metadata, tensors), NodeFileSystem.layer))
  const read = JSON.parse(await execute(python, [`${scripts}quantized/blocks.py`, "read", path], "piped"))
  const fields = Object.fromEntries([...metadata].map(([key, value]) => [key, fieldOf(value)]))
  const want = tensors.map(({ name, shape, type }) => ({
    name,
    type: type.name,
    shape,
    bytes: hex(bytes.get(type.name)!),
  }))
  return [
    ...JSON.stringify(read.fields) === JSON.stringify(fields) ? [] : [`metadata: ${JSON.stringify(read.fields)}`],
    ...want.flatMap((tensor, i) =>
      JSON.stringify(read.tensors[i]) === JSON.stringify(tensor) ? [] : [`tensor ${tensor.name} is read otherwise`]
    ),
  ]
}

/** Compares all types and prints a line for each; numbers of passed and failed ones. */
export async function runBlocks(): Promise<{ readonly passed: number; readonly failed: number }> {
  const python = await pythonEnvironment()
  const directory = `${workspace}/blocks`
  await Deno.mkdir(directory, { recursive: true })
  const numbers = JSON.parse(await execute(python, [`${scripts}quantized/blocks.py`, "make", directory], "piped"))
  const ours = Object.fromEntries(GGML_TYPES.map(({ name, id }) => [name, id]))
  const results: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
    ["numbers of types", JSON.stringify(ours) === JSON.stringify(numbers) ? [] : [JSON.stringify(numbers)]],
    ...types.map((type) => [`blocks of ${type.name}`, compareType(type, directory)] as const),
    ["a GGUF file read back", await compareFile(python, directory)],
  ]
  for (const [name, found] of results) {
    console.log(`${found.length === 0 ? "ok    " : "FAILED"} ${name}`)
    for (const line of found) console.log(`         ${line.slice(0, 300)}`)
  }
  const failed = results.filter(([, found]) => found.length > 0).length
  return { passed: results.length - failed, failed }
}

if (import.meta.main) {
  const { passed, failed } = await runBlocks()
  console.log(`${passed} passed, ${failed} failed`)
  Deno.exit(failed === 0 ? 0 : 1)
}
