import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { encodeSafetensors, type FloatDType, type TensorData } from "../../../core/formats/safetensors/safetensors.ts"
import type { SoupOptions } from "../../../core/weights/average/average_checkpoints.ts"
import { soup } from "../../../core/weights/average/soup.ts"
import { decodeAllTensors } from "../../support/adapter_tensors.ts"
import { distance, fixture } from "../../support/model_layer.ts"

const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>) =>
  Effect.runPromise(effect.pipe(Effect.provide(NodeFileSystem.layer)))
const refused = (options: SoupOptions) =>
  run(Effect.flip(soup(options))) as Promise<{ _tag: string; reason: string; tensor?: string; message: string }>

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir()
  try {
    await body(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

interface Made {
  readonly config?: Record<string, unknown>
  readonly tensors?: ReadonlyArray<TensorData>
  readonly shards?: boolean
}
const tensor = (name: string, values: ReadonlyArray<number>, dtype: FloatDType = "F32", shape = [values.length]) => ({
  name,
  shape,
  dtype,
  data: Float32Array.from(values),
})

async function write(path: string, { config = {}, tensors = [tensor("w", [1, 2])], shards = false }: Made = {}) {
  await Deno.mkdir(path)
  const record = { model_type: "x", num_attention_heads: 2, ...config }
  await Deno.writeTextFile(`${path}/config.json`, JSON.stringify(record))
  if (!shards) return await Deno.writeFile(`${path}/model.safetensors`, encodeSafetensors(tensors))
  const weight_map: Record<string, string> = {}
  for (const [i, one] of tensors.entries()) {
    weight_map[one.name] = `${i}.safetensors`
    await Deno.writeFile(`${path}/${i}.safetensors`, encodeSafetensors([one]))
  }
  await Deno.writeTextFile(`${path}/model.safetensors.index.json`, JSON.stringify({ metadata: {}, weight_map }))
}
const read = (path: string) => decodeAllTensors(Deno.readFileSync(`${path}/model.safetensors`), path)

Deno.test("a soup is the weighted average of checkpoints, in shards or not, in the types of the first", () =>
  inDirectory(async (directory) => {
    const [a, b, c] = ["a", "b", "c"].map((name) => `${directory}/${name}`)
    await write(a, { tensors: [tensor("w", [1, 2, 3, 4], "F32", [2, 2]), tensor("h", [1, -8], "BF16")] })
    await write(b, { tensors: [tensor("w", [5, 6, 7, 8], "F16", [2, 2]), tensor("h", [3, 8])], shards: true })
    await write(c, { tensors: [tensor("w", [0, 1, 0, 1], "BF16", [2, 2]), tensor("h", [2, 6])] })
    await Deno.writeTextFile(`${a}/tokenizer.json`, "{}")
    const output = `${directory}/out`
    const plain = await run(soup({ checkpoints: [{ path: a }, { path: b }, { path: c }], output }))
    assertEquals([...read(output)].map(([name, { shape }]) => [name, shape]), [["w", [2, 2]], ["h", [2]]])
    assert(distance(read(output).get("w")!.data, [2, 3, 10 / 3, 13 / 3]) < 1e-6)
    assertEquals([...read(output).get("h")!.data], [2, 2])
    assertEquals(plain.tensors.map(({ tensor }) => tensor), ["w", "h"])
    assert(plain.worst.error < 1e-6)
    assertEquals(await Deno.readTextFile(`${output}/tokenizer.json`), "{}")
    // Task arithmetic: what b learned, taken off a.
    const checkpoints = [{ path: a, weight: 1 }, { path: b, weight: -0.5 }, { path: c, weight: 0.5 }]
    await run(soup({ checkpoints, output, dtype: "F16" }))
    assertEquals([...read(output).get("w")!.data], [-1.5, -0.5, -0.5, 0.5])
    assertEquals(JSON.parse(await Deno.readTextFile(`${output}/config.json`)).torch_dtype, "float16")
  }))

Deno.test("tables of integers are left out; quantized weights have no average", () =>
  inDirectory(async (directory) => {
    const file = (dtype: string, size: number) => {
      const header = {
        w: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
        n: { dtype, shape: [2], data_offsets: [4, 4 + 2 * size] },
      }
      const text = new TextEncoder().encode(JSON.stringify(header))
      const bytes = new Uint8Array(8 + text.length + 4 + 2 * size)
      new DataView(bytes.buffer).setUint32(0, text.length, true)
      bytes.set(text, 8)
      new DataView(bytes.buffer).setFloat32(8 + text.length, 1.5, true)
      return bytes
    }
    const [a, output] = [`${directory}/a`, `${directory}/out`]
    await write(a)
    await Deno.writeFile(`${a}/model.safetensors`, file("I64", 8))
    await run(soup({ checkpoints: [{ path: a }, { path: a }], output }))
    assertEquals([...read(output)].map(([name, { data }]) => [name, [...data]]), [["w", [1.5]]])
    await Deno.writeFile(`${a}/model.safetensors`, file("U8", 1))
    const error = await refused({ checkpoints: [{ path: a }, { path: a }], output })
    assertEquals([error.reason, error.tensor], ["Mismatch", "n"])
  }))

Deno.test("a soup of one whole model is that model", () =>
  inDirectory(async (directory) => {
    const path = fixture("llama/llama")
    const checkpoints = [{ path, weight: 0.25 }, { path, weight: 0.75 }]
    await run(soup({ checkpoints, output: `${directory}/out` }))
    const [ours, theirs] = [read(`${directory}/out`), read(path)]
    assertEquals([...ours.keys()].sort(), [...theirs.keys()].sort())
    for (const [name, { data }] of theirs) assert(distance(ours.get(name)!.data, data) < 1e-6, name)
  }))

Deno.test("checkpoints that do not belong together are an error, and nothing is left behind", () =>
  inDirectory(async (directory) => {
    const at = (name: string) => `${directory}/${name}`
    await write(at("a"), { config: { id2label: { 0: "no", 1: "yes" }, dropout: 0.1, dtype: "float32" } })
    await write(at("turned"), { config: { id2label: { 0: "yes", 1: "no" } } })
    await write(at("heads"), { config: { id2label: { 0: "no", 1: "yes" }, num_attention_heads: 4 } })
    const config = { id2label: { 0: "no", 1: "yes" } }
    await write(at("wide"), { config, tensors: [tensor("w", [1, 2, 3])] })
    await write(at("more"), { config, tensors: [tensor("w", [1, 2]), tensor("v", [1])] })
    await write(at("great"), { config, tensors: [tensor("w", [1e30, 2])] })
    await write(at("nan"), { config, tensors: [tensor("w", [NaN, 2])] })
    const before = [...Deno.readDirSync(directory)].length
    const output = at("out")
    const beside = (name: string) => ({ checkpoints: [{ path: at("a") }, { path: at(name) }], output })
    const cases: ReadonlyArray<readonly [SoupOptions, string, string]> = [
      [beside("turned"), "Mismatch", "id2label is"],
      [beside("heads"), "Mismatch", "num_attention_heads is 4, not 2"],
      [beside("wide"), "Mismatch", "w [3] instead of [2]"],
      [beside("more"), "Mismatch", "unexpected (1): v"],
      [{ ...beside("great"), dtype: "F16" }, "Inexact", "store it as F32"],
      [beside("nan"), "Inexact", '"w"'],
      [{ checkpoints: [], output }, "Options", "at least one"],
      [{ checkpoints: [{ path: at("a"), weight: 0.4 }], output }, "Options", "must sum to 1; 0.4 is 0.4"],
      [{ checkpoints: [{ path: at("a") }], output: `${at("a")}/` }, "Options", "apart from the checkpoints"],
      [{ checkpoints: [{ path: at("a") }], output: `${directory}/x/..` }, "Options", "apart from the checkpoints"],
    ]
    for (const [options, reason, text] of cases) {
      const error = await refused(options)
      assertEquals([error._tag, error.reason], ["SoupError", reason], error.message)
      assertStringIncludes(error.message, text)
    }
    assertStringIncludes((await refused(beside("nowhere"))).message, "no such file")
    assertEquals([...Deno.readDirSync(directory)].length, before)
  }))
