/**
 * Adapters as GGUF files, by the rules of llama.cpp's convert_lora_to_gguf.py.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { openGguf, readRows } from "../../../core/formats/gguf/gguf_file.ts"
import { load, readParameters } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { Espalier } from "../../../mod.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { distance, fixture } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"

const included = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname

/** Writes an adapter with these options for a model, and gives the error, or what was written and what it is made of. */
const write = (
  path: string,
  options: Lora.LoraOptions,
  from = included,
  gguf: Lora.GgufAdapterOptions = {},
  task: Task = Task.causalLM(),
) => {
  const all = Layer.mergeAll(Lora.layer({ initLoraWeights: false, ...options }), Llama.layer, Bert.layer).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  const program = Effect.gen(function* () {
    const model = yield* load(from, { task })
    yield* (yield* Lora.Lora).saveGguf(model, path, gguf)
    const own = yield* readParameters(model, model.parameters.filter(({ owner }) => owner.startsWith("lora/")))
    const file = yield* openGguf(path)
    const tensors = new Map<string, Float32Array>()
    for (const [name, tensor] of file.tensors) {
      const bytes = yield* readRows(path, tensor, 0, tensor.shape[0])
      const data = new Float32Array(tensor.shape.reduce((a, b) => a * b))
      tensor.type.encoding!.decode.reference(bytes, data)
      tensors.set(name, data)
    }
    return {
      file,
      tensors,
      values: new Map(own.map(({ parameter: { module, name }, data }) => [`${module}.${name}`, data])),
    }
  })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
}

const failure = async (...given: Parameters<typeof write>): Promise<Error> => {
  try {
    await write(...given)
  } catch (error) {
    return error as Error
  }
  throw new Error("it did not fail")
}

/** Rows of a projection as LlamaModel.permute has them: reshape(heads, 2, half).swapaxes(1, 2). */
const permuted = (data: Float32Array, heads: number, columns: number) => {
  const half = data.length / columns / heads / 2
  return Float32Array.from(data, (_, at) => {
    const row = Math.floor(at / columns), head = Math.floor(row / (2 * half)), within = row % (2 * half)
    const from = head * 2 * half + within % 2 * half + Math.floor(within / 2)
    return data[from * columns + at % columns]
  })
}

Deno.test("tensors are named after the weights, rows of queries and keys in their order; one alpha stands for all scales", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/adapter.gguf`
    const { file, tensors, values } = await write(path, {
      r: 4,
      loraAlpha: 8,
      targetModules: ["q_proj", "k_proj", "v_proj", "down_proj"],
      useRslora: true,
      rankPattern: { v_proj: 2 },
      alphaPattern: { down_proj: 3 },
    })
    const metadata = Object.fromEntries([...file.metadata].map(([key, { value }]) => [key, value]))
    assertEquals(metadata, {
      "general.architecture": "llama",
      "general.type": "adapter",
      "general.name": "default",
      "general.file_type": 0,
      "adapter.type": "lora",
      "adapter.lora.alpha": 16,
    })
    assertEquals(file.metadata.get("adapter.lora.alpha")!.type, "float32")
    assertEquals(tensors.size, 4 * 4 * 2)
    const of = (module: string, name: string) => values.get(`model.layers.1.${module}.${name}`)!
    const check = (name: string, module: string, scale: number, heads?: number) => {
      assertEquals(tensors.get(`blk.1.${name}.weight.lora_a`), of(module, "lora_A"))
      const rank = file.tensors.get(`blk.1.${name}.weight.lora_b`)!.shape[1]
      // There an update is scaled by alpha / rank.
      const b = of(module, "lora_B").map((x) => x * scale / (16 / rank))
      assert(
        distance(tensors.get(`blk.1.${name}.weight.lora_b`)!, heads === undefined ? b : permuted(b, heads, rank)) <
          1e-7,
      )
    }
    check("attn_q", "self_attn.q_proj", 8 / 2, 4)
    check("attn_k", "self_attn.k_proj", 8 / 2, 2)
    check("attn_v", "self_attn.v_proj", 8 / Math.sqrt(2))
    check("ffn_down", "mlp.down_proj", 3 / 2)
  })
})

Deno.test("an embedding's A is turned around; what started from the base has twice the rank; F16 halves the file", async () => {
  await inDirectory(async (directory) => {
    const [path, other] = ["a", "b"].map((name) => `${directory}/${name}.gguf`)
    const { file, tensors, values } = await write(
      path,
      { r: 2, targetModules: ["embed_tokens"] },
      fixture("llama/mistral"),
    )
    const [rows, width] = [32, file.tensors.get("token_embd.weight.lora_b")!.shape[0]]
    assertEquals(file.tensors.get("token_embd.weight.lora_a")!.shape, [rows, 2])
    const a = values.get("model.embed_tokens.lora_embedding_A")!
    assertEquals(tensors.get("token_embd.weight.lora_a"), a.map((_, i) => a[i % 2 * rows + Math.floor(i / 2)]))
    assertEquals(tensors.get("token_embd.weight.lora_b")!.length, 2 * width)
    const pissa = await write(other, { r: 2, targetModules: ["v_proj"], initLoraWeights: "pissa" }, included, {
      type: "F16",
    })
    assertEquals(pissa.file.tensors.get("blk.0.attn_v.weight.lora_a")!.shape, [4, 128])
    assertEquals(pissa.file.tensors.get("blk.0.attn_v.weight.lora_a")!.type.name, "F16")
    assertEquals(pissa.file.metadata.get("adapter.lora.alpha")!.value, 16)
  })
})

Deno.test("what the format cannot hold is refused, and says what to do; a file that is there stays", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/adapter.gguf`
    const refused = async (options: Lora.LoraOptions, message: string, from = included, task?: Task) => {
      const error = await failure(path, options, from, {}, task)
      assertStringIncludes(error.message, message)
    }
    const merge = "which a GGUF adapter cannot hold: merge it (Model.saveGguf) and ship the model"
    await refused({ useDora: true }, `useDora trains the lengths of rows, ${merge}`)
    await refused({ bias: "all" }, 'bias "all" trains biases')
    await refused({ modulesToSave: ["o_proj"] }, '.o_proj" trains whole')
    await refused(
      { targetModules: ["embed_tokens"] },
      '"model.embed_tokens" is adapted, and embedding and output are one matrix',
    )
    await refused(
      { targetModules: ["q_lin"] },
      "have no names in GGUF here; known: llama, mistral, qwen2, qwen3",
      fixture("bert/distilbert_masked"),
      Task.maskedLM(),
    )
    assertStringIncludes(
      (await failure(path, {}, included, { adapter: "news" })).message,
      'no adapter "news"; there are default',
    )
    assertStringIncludes((await failure(path, {}, included, { type: "Q8_0" as "F16" })).message, "type must be")
    assertEquals([...Deno.readDirSync(directory)], [])
    await Deno.writeTextFile(path, "old")
    assertStringIncludes((await failure(path, {})).message, "is there already")
    assertEquals(await Deno.readTextFile(path), "old")
  })
})
