import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { encodingOf } from "../../../kernels/encodings.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import { load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { encodeTensors } from "../../../plugins/peft_format/mod.ts"
import { tensorsOf } from "../../core/model/stored.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { inDirectory, logits } from "../files.ts"
import { type GgufOptions, type Whole, writeModel } from "./gguf_files.ts"

type Json = Readonly<Record<string, unknown>>

/** Logits of a row by the model at a path. */
const logitsOf = (path: string) => {
  const backend = memoryBackend()
  return run(
    Effect.map(load(path, { task: Task.causalLM() }), (model) => ({ model, logits: logits(model, backend) })),
    undefined,
    backend,
  )
}

/** Writes a fixture, with changes of its config, as a checkpoint and as `gguf/model.gguf` in it. */
const both = (
  name: string,
  options: GgufOptions,
  use: (checkpoint: string, gguf: string) => Promise<void>,
  change: Json = {},
) =>
  inDirectory(async (directory) => {
    const config = { ...JSON.parse(Deno.readTextFileSync(fixture(`${name}/config.json`))), ...change }
    const tensors = await tensorsOf(name)
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify(config))
    Deno.writeFileSync(`${directory}/model.safetensors`, encodeTensors(tensors))
    Deno.mkdirSync(`${directory}/gguf`)
    await writeModel(`${directory}/gguf/model.gguf`, config, tensors as Map<string, Whole>, options)
    await use(directory, `${directory}/gguf/model.gguf`)
  })

const unslid = { use_sliding_window: false, layer_types: null, sliding_window: null }
const cases: ReadonlyArray<readonly [name: string, architecture: string, change?: Json]> = [
  ["llama/llama", "llama"],
  ["llama/qwen3", "qwen3", unslid],
  ["llama/mistral_window", "llama", { hidden_act: "silu" }],
  ["directories/4/qwen2", "qwen2"],
  ["directories/4/llama-linear", "llama"],
  ["directories/4/llama-yarn", "llama"],
]
for (const [name, architecture, change] of cases) {
  const metadata = name.endsWith("window") ? { "llama.attention.sliding_window": 3 } : {}
  Deno.test(`${name}: a GGUF file gives the logits of the checkpoint that it was made of`, () =>
    both(name, { architecture, metadata }, async (checkpoint, gguf) => {
      const [want, got] = [await logitsOf(checkpoint), await logitsOf(gguf)]
      assert(distance(got.logits, want.logits) < 1e-6, `off by ${distance(got.logits, want.logits)}`)
      assertEquals(got.model.notes, [])
      assertEquals(got.model.tied, want.model.tied)
      // A directory with one such file means it.
      assertEquals((await logitsOf(gguf.replace("/model.gguf", ""))).logits, got.logits)
    }, change))
}
