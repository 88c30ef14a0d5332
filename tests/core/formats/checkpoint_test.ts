import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import {
  encodeSafetensors,
  openModel,
  openSafetensors,
  readTensor,
  SafetensorsError,
  type TensorData,
  writeSafetensors,
} from "../../../core/formats/safetensors/safetensors.ts"
import { failure, fileOf, inDirectory, names, readAll, run } from "./support.ts"

const tensor = (name: string, shape: Array<number>, dtype: TensorData["dtype"] = "F32"): TensorData => ({
  name,
  shape,
  dtype,
  // Small integers: exact in every type.
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i % 128 - 60),
})

Deno.test("what is written is read back, large tensors in pieces of whole rows, at most 1 MiB", () =>
  inDirectory(async (directory) => {
    const tensors = [
      tensor("big.f16", [700, 1000], "F16"),
      tensor("big.bf16", [3, 262_144], "BF16"),
      tensor("big.f32", [262_145]),
      tensor("scalar", [], "F16"),
      tensor("odd", [3], "F16"),
      tensor("none", [4, 0, 3], "BF16"),
    ]
    const path = `${directory}/a.safetensors`
    await run(writeSafetensors(path, tensors.map((t) => ({ ...t, read: () => t.data })), { format: "pt" }))
    assertEquals(names(directory), ["a.safetensors"])
    assertEquals(Deno.readFileSync(path), encodeSafetensors(tensors, { format: "pt" }))
    const { tensors: opened, metadata } = await run(openSafetensors(path))
    assertEquals([...metadata], [["format", "pt"]])
    // Largest type first, then by name, as the reference implementation does.
    assertEquals([...opened.keys()], ["big.f32", "big.bf16", "none", "big.f16", "odd", "scalar"])
    for (const t of tensors) {
      const entry = opened.get(t.name)!
      assertEquals([entry.shape, entry.dtype, entry.file], [t.shape, t.dtype, path])
      assertEquals(await readAll(entry), t.data)
      assertEquals(entry.byteOffset % (t.dtype === "F32" ? 4 : 2), 0)
    }
    const pieces: Array<[number, number]> = []
    await run(readTensor(opened.get("big.f16")!, (data, offset) => void pieces.push([offset, data.length])))
    assertEquals(pieces, [[0, 262_000], [262_000, 262_000], [524_000, 176_000]])
  }))

Deno.test("a file without tensors", () =>
  inDirectory(async (directory) => {
    await run(writeSafetensors(`${directory}/a`, []))
    assertEquals(Deno.readFileSync(`${directory}/a`), fileOf("{}      "))
    assertEquals((await run(openSafetensors(`${directory}/a`))).tensors.size, 0)
  }))

Deno.test("a type that is no float is listed, and reading it names the tensor", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a`
    Deno.writeFileSync(path, fileOf(`{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8))
    const entry = (await run(openSafetensors(path))).tensors.get("ids")!
    const error = await failure(readTensor(entry, () => {}))
    assert(error instanceof SafetensorsError && error.reason === "Dtype")
    assertStringIncludes(error.message, '"ids" is I64')
  }))

Deno.test("a sink that fails, and a file that shrinks", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a`
    await Deno.writeFile(path, encodeSafetensors([tensor("w", [8])]))
    const entry = (await run(openSafetensors(path))).tensors.get("w")!
    const cause = new Error("device lost")
    const error = await failure(readTensor(entry, () => Promise.reject(cause)))
    assert(error instanceof SafetensorsError && error.reason === "Callback" && error.cause === cause)
    await Deno.truncate(path, 20)
    assertEquals((await failure(readTensor(entry, () => {}))).reason, "Truncated")
  }))

Deno.test("paths that are no files", () =>
  inDirectory(async (directory) => {
    assertEquals((await failure(openSafetensors(`${directory}/none`))).reason, "NotFound")
    assertStringIncludes((await failure(openSafetensors(directory))).message, "not a file")
    const error = await failure(openModel(directory))
    assertEquals([error._tag, error.reason], ["StorageError", "NotFound"])
    assertStringIncludes(error.message, "neither model.safetensors nor")
  }))

async function sharded(directory: string, weightMap: Record<string, unknown>): Promise<void> {
  await Deno.writeFile(`${directory}/m-1.safetensors`, encodeSafetensors([tensor("a", [2]), tensor("b", [3], "F16")]))
  await Deno.writeFile(`${directory}/m-2.safetensors`, encodeSafetensors([tensor("c", [4])]))
  await Deno.writeTextFile(`${directory}/model.safetensors.index.json`, JSON.stringify({ weight_map: weightMap }))
}

Deno.test("shards give one list", () =>
  inDirectory(async (directory) => {
    await sharded(directory, { a: "m-1.safetensors", b: "m-1.safetensors", c: "m-2.safetensors" })
    const { tensors } = await run(openModel(directory))
    assertEquals([...tensors.keys()].sort(), ["a", "b", "c"])
    assertEquals(await readAll(tensors.get("c")!), tensor("c", [4]).data)
    await Deno.remove(`${directory}/m-2.safetensors`)
    const error = await failure(openModel(directory))
    assertEquals(error.reason, "NotFound")
    assertStringIncludes(error.message, "m-2.safetensors")
    // The whole file wins when both are there.
    await Deno.writeFile(`${directory}/model.safetensors`, encodeSafetensors([tensor("z", [1])]))
    assertEquals([...(await run(openModel(directory))).tensors.keys()], ["z"])
  }))

Deno.test("an index and shards that disagree", () =>
  inDirectory(async (directory) => {
    await sharded(directory, { a: "m-1.safetensors", c: "m-1.safetensors", d: "m-2.safetensors" })
    const error = await failure(openModel(directory))
    assertEquals([error._tag, error.reason], ["SafetensorsError", "Missing"])
    assertStringIncludes(error.message, "not in the shard named for them (2): c, d")
    assertStringIncludes(error.message, "does not name for them (2): b, c")
    await sharded(directory, { a: "m-1.safetensors", c: "m-2.safetensors" })
    assertEquals((await failure(openModel(directory))).reason, "Unexpected")
  }))

Deno.test("an index that is not one", () =>
  inDirectory(async (directory) => {
    await sharded(directory, { a: "../m-1.safetensors" })
    const error = await failure(openModel(directory))
    assertEquals([error._tag, error.reason], ["JsonError", "Value"])
    assertStringIncludes(error.message, '"../m-1.safetensors"')
    await Deno.writeTextFile(`${directory}/model.safetensors.index.json`, `{"weight_map":[]}`)
    assertStringIncludes((await failure(openModel(directory))).message, "weight_map must be an object, got []")
  }))

Deno.test("reading stops when it is interrupted", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a`
    await Deno.writeFile(path, encodeSafetensors([tensor("w", [600_000])]))
    const entry = (await run(openSafetensors(path))).tensors.get("w")!
    let pieces = 0
    await run(Effect.timeoutOption(readTensor(entry, () => (pieces++, new Promise(() => {}))), 20))
    assertEquals(pieces, 1)
  }))
