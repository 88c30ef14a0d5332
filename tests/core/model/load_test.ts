import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import type { SitePlan } from "../../../core/contracts/site.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import { initialize, load, saveAdapters, saveCheckpoint } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, knownTypes, run } from "../../support/model_layer.ts"

/** A backend that must not be asked for memory. */
const untouched = (): MemoryBackend => ({
  ...memoryBackend(),
  allocate: () => {
    throw new Error("Memory was taken before the checks were done")
  },
})

/** A copy of a fixture with another config. */
async function withModel(
  name: string,
  change: Readonly<Record<string, unknown>>,
  use: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir()
  try {
    const config = JSON.parse(Deno.readTextFileSync(fixture(`llama/${name}/config.json`)))
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify({ ...config, ...change }))
    Deno.copyFileSync(fixture(`llama/${name}/model.safetensors`), `${directory}/model.safetensors`)
    await use(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

const task = Task.causalLM()
const labels = Task.classification(["a", "b", "c"])

Deno.test("what does not fit is a typed error before any memory is taken", async () => {
  const cases: ReadonlyArray<readonly [Record<string, unknown>, string, string]> = [
    [
      { model_type: "mamba" },
      "ModelError",
      `unknown model_type "mamba"; known: ${await knownTypes()}`,
    ],
    [{ rope_scaling: { rope_type: "longrope", factor: 2 } }, "JsonError", "longrope"],
    [{ hidden_act: "mish" }, "JsonError", "mish"],
    [{ num_key_value_heads: 3 }, "JsonError", "num_key_value_heads must be a divisor of num_attention_heads 4, got 3"],
    [{ hidden_size: "16" }, "JsonError", 'hidden_size must be a positive integer, got "16"'],
    [{ num_hidden_layers: 3 }, "SafetensorsError", "missing (16): model.layers.2.self_attn.q_proj.weight"],
    [{ intermediate_size: 25 }, "SafetensorsError", "[24,16] instead of [25,16]"],
    [{ attention_bias: false }, "SafetensorsError", "unexpected"],
  ]
  for (const [change, tag, text] of cases) {
    await withModel("llama", change, async (directory) => {
      const error = await failure(load(directory, { task }), undefined, untouched())
      assertEquals(error._tag, tag)
      assertStringIncludes(error.message, text)
    })
  }
  const window = { sliding_window: 0 }
  await withModel("mistral", window, async (directory) => {
    assertStringIncludes((await failure(load(directory, { task }), undefined, untouched())).message, "sliding_window")
  })
  const missing = await failure(load("nowhere", { task }), undefined, untouched())
  assertEquals([missing._tag, missing.reason], ["StorageError", "NotFound"])
  const seed = await failure(load(fixture("llama/llama"), { task, seed: -1 }), undefined, untouched())
  assertEquals([seed._tag, seed.reason], ["ModelError", "Options"])
  const one = await failure(load(fixture("llama/qwen2"), { task: Task.classification(["a", "a"]) }))
  assertEquals([one._tag, one.reason], ["ModelError", "Task"])
})

Deno.test("weights that end early, at whichever byte, are refused before any memory is taken", async () => {
  await withModel("llama", {}, async (directory) => {
    const path = `${directory}/model.safetensors`
    const whole = Deno.readFileSync(path)
    const header = 8 + new DataView(whole.buffer).getUint32(0, true)
    for (const length of [0, 7, 8, header - 1, header, header + 1, whole.length >> 1, whole.length - 1]) {
      Deno.writeFileSync(path, whole.subarray(0, length))
      const error = await failure(load(directory, { task }), undefined, untouched())
      assertEquals([error._tag, error.reason], ["SafetensorsError", "Truncated"], `${length}: ${error.message}`)
      assertStringIncludes(error.message, path)
    }
  })
})

Deno.test("a head that the class in the files does not have is told as that", async () => {
  const reasons: ReadonlyArray<readonly [unknown, string]> = [
    [["LlamaModel"], "it was saved as LlamaModel, which has no such head: load it for another task"],
    [["Qwen2ForSequenceClassification"], "it was saved as Qwen2ForSequenceClassification, which has no such head"],
    [["Qwen2ForCausalLM"], "the file lacks the output head: the embedding serves as one if config.json says"],
    [null, "the file lacks the output head"],
  ]
  for (const [architectures, reason] of reasons) {
    await withModel("qwen2", { architectures, tie_word_embeddings: false }, async (directory) => {
      const error = await failure(load(directory, { task }), undefined, untouched())
      assertStringIncludes(error.message, `missing (1): lm_head.weight\nlikely: ${reason}`)
    })
  }
})

Deno.test("plugins that cannot work say so before any memory is taken", async () => {
  const register = (contribution: Contribution) =>
    Layer.effectDiscard(Effect.flatMap(Effect.service(Plugins), (plugins) => plugins.register(contribution)))
  const attempt = (contribution: Contribution) =>
    failure(load(fixture("llama/llama"), { task }), register(contribution), untouched())
  const plan = (): SitePlan => ({ place: "after", parameters: {}, forward: (_, y) => y })
  const nothing = await attempt({ id: "x", sites: [{ select: ["query"], plan }] })
  assertEquals(nothing._tag, "PluginError")
  assertStringIncludes(nothing.message, "q_proj (Linear)")
  const conflict = await attempt({
    id: "x",
    sites: [{
      select: "all-linear",
      plan: () => {
        throw new PluginError({ plugin: "x", message: "x: cannot work here" })
      },
    }],
  })
  assertStringIncludes(conflict.message, "x: cannot work here")
  const tied = await attempt({ id: "x", trains: ({ path }) => path === "lm_head" })
  assertStringIncludes(tied.message, '"lm_head.weight" is tied')
})

Deno.test("a head that the file lacks starts anew, trains and is told of; one with other labels is refused", async () => {
  await run(Effect.gen(function* () {
    const model = yield* load(fixture("llama/mistral"), { task: labels })
    assertEquals(model.notes, ["not in the files, so new and trained: score.weight"])
    const head = model.parameters.find(({ key }) => key === "score.weight")!
    const values = yield* Effect.promise(() => model.backend.read(head.slot))
    assert(values.every((value) => value !== 0 && Math.abs(value) < 0.1))
  }))
  const named = { id2label: { 0: "b", 1: "a", 2: "c" } }
  await withModel("qwen2", named, async (directory) => {
    const error = await failure(load(directory, { task: labels }), undefined, untouched())
    assertEquals([error._tag, error.reason], ["ModelError", "Task"])
    assertStringIncludes(error.message, '["b","a","c"]')
  })
  const more = await failure(
    load(fixture("llama/qwen2"), { task: Task.classification(["a", "b"]) }),
    undefined,
    untouched(),
  )
  assertStringIncludes(more.message, "its head (score.weight) is for 3 labels, the task has 2")
})

Deno.test("memory is freed with the scope, also when loading fails half-way", async () => {
  const backend = memoryBackend()
  await run(load(fixture("llama/llama"), { task }), undefined, backend)
  assertEquals(backend.slots.size, 0)
  let writes = 0
  const failing: MemoryBackend = {
    ...backend,
    write: (slot, data, offset) =>
      writes++ === 3 ? Promise.reject(new Error("lost")) : backend.write(slot, data, offset),
  }
  const error = await failure(load(fixture("llama/llama"), { task }), undefined, failing)
  assertStringIncludes(error.message, "lost")
  assertEquals(backend.slots.size, 0)
})

Deno.test("a saved checkpoint loads again, tied weights once, in the type asked for", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const config = {
      model_type: "llama",
      vocab_size: 20,
      hidden_size: 8,
      intermediate_size: 12,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      max_position_embeddings: 16,
      tie_word_embeddings: true,
      dtype: "float32",
    }
    await run(Effect.gen(function* () {
      const model = yield* initialize(config, { task, seed: 9 })
      for (const dtype of ["F32", "BF16"] as const) {
        yield* saveCheckpoint(model, `${directory}/${dtype}`, { dtype, config: { pad_token_id: 0 } })
        const again = yield* load(`${directory}/${dtype}`, { task })
        assertEquals(again.parameters.map(({ key }) => key), model.parameters.map(({ key }) => key))
        for (const [i, parameter] of model.parameters.entries()) {
          const [mine, theirs] = yield* Effect.promise(() =>
            Promise.all([model.backend.read(parameter.slot), again.backend.read(again.parameters[i].slot)])
          )
          const error = distance(mine, theirs)
          assert(dtype === "F32" ? error === 0 : error < 2e-4, `${parameter.key} ${dtype}: ${error}`)
        }
        assertEquals(again.config.torch_dtype, dtype === "F32" ? "float32" : "bfloat16")
        assertEquals([again.config.dtype, again.config.pad_token_id], [undefined, 0])
        assertEquals(again.config.architectures, ["LlamaForCausalLM"])
      }
      const none = yield* Effect.flip(saveAdapters(model, `${directory}/adapters`))
      assertStringIncludes(none.message, "save a checkpoint")
    }))
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["BF16", "F32"])
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
