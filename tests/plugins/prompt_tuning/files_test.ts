import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { initialize, load, loadAdapters, readParameters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { inDirectory, logits, shapesIn } from "../files.ts"

const classes = Task.classification(["a", "b", "c"])
const models = [
  { name: "grouped heads", model: "llama/mistral", task: Task.causalLM() },
  { name: "classification", model: "llama/qwen2", task: classes },
  { name: "BERT", model: "bert/classification", task: classes },
]
const MLP = { encoderReparameterizationType: "MLP", encoderHiddenSize: 5 } as const

for (const { name, model: base, task } of models) {
  for (const [type, own] of [["PROMPT_TUNING", {}], ["P_TUNING", MLP]] as const) {
    Deno.test(`${name}, ${type}: saved, loaded, and read by fromPeft`, async () => {
      await inDirectory(async (directory) => {
        const options: PromptTuning.PromptTuningOptions = { numVirtualTokens: 3, ...own }
        const backend = memoryBackend()
        const before = await run(
          Effect.gen(function* () {
            const model = yield* load(fixture(base), { task })
            assert(distance(logits(model, backend), logits(model, backend, false)) > 1e-3)
            yield* saveAdapters(model, `${directory}/saved`)
            return { logits: logits(model, backend), values: (yield* readParameters(model)).map(({ data }) => data) }
          }),
          PromptTuning.layer(options),
          backend,
        )
        const file = shapesIn(`${directory}/saved/adapter_model.safetensors`)
        assertEquals(file.prompt_embeddings, [3, 16])
        const others = Object.keys(file).filter((key) => key !== "prompt_embeddings")
        assert(others.every((key) => /^base_model\.(score|classifier)\./.test(key)), others.join())
        const config = JSON.parse(Deno.readTextFileSync(`${directory}/saved/adapter_config.json`))
        assertEquals(
          [
            config.peft_type,
            config.num_attention_heads,
            config.token_dim,
            config.num_layers,
            config.num_virtual_tokens,
          ],
          [type, 4, 16, 2, 3],
        )
        const other = memoryBackend()
        await run(
          Effect.gen(function* () {
            const model = yield* load(fixture(base), { task, seed: 7 })
            assert(distance(logits(model, other), before.logits) > 1e-3)
            yield* loadAdapters(model, `${directory}/saved`)
            assertEquals((yield* readParameters(model)).map(({ data }) => data), before.values)
          }),
          PromptTuning.layer(options),
          other,
        )
        // With and without the network, which PEFT does not save.
        for (const network of type === "P_TUNING" ? [true, false] : [false]) {
          if (type === "P_TUNING" && !network) await Deno.remove(`${directory}/saved/prompt_encoder.safetensors`)
          const third = memoryBackend()
          await run(
            Effect.gen(function* () {
              const model = yield* load(fixture(base), { task })
              assertEquals(model.parameters.some(({ key }) => key.includes("mlp_head")), network)
              assert(distance(logits(model, third), before.logits) < 1e-5)
            }),
            PromptTuning.fromPeft(`${directory}/saved`) as never,
            third,
          )
        }
        if (type !== "P_TUNING") return
        const error = await failure(
          Effect.flatMap(load(fixture(base), { task }), (model) => loadAdapters(model, `${directory}/saved`)),
          PromptTuning.layer(options),
        )
        assertStringIncludes(error.message, "load them with fromPeft")
      })
    })
  }
}

Deno.test("two prompts, a prefix and LoRA, in any order: one folder holds all, and loads again", async () => {
  const parts = () =>
    [
      PromptTuning.layer({ numVirtualTokens: 2 }),
      PromptTuning.layer({ name: "other", numVirtualTokens: 3, ...MLP }),
      PrefixTuning.layer({ numVirtualTokens: 2 }),
      Lora.layer({ r: 2, initLoraWeights: false }),
    ] as const
  const [a, b, c, d] = parts()
  await inDirectory(async (directory) => {
    const seen: Array<readonly [ArrayLike<number>, ReadonlyArray<Float32Array>]> = []
    for (const methods of [Layer.mergeAll(a, b, c, d), Layer.mergeAll(d, b, c, a)]) {
      const backend = memoryBackend()
      seen.push(
        await run(
          Effect.gen(function* () {
            const model = yield* load(fixture("llama/qwen2"), { task: classes })
            assertEquals(model.network.maxPositions, 64 - 7)
            const { prompts } = yield* PromptTuning.PromptTuning
            assertEquals([...(yield* prompts).keys()], ["default", "other"])
            yield* saveAdapters(model, `${directory}/saved`)
            return [logits(model, backend), (yield* readParameters(model)).map(({ data }) => data)] as const
          }),
          methods,
          backend,
        ),
      )
    }
    assertEquals(seen[0], seen[1])
    const other = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture("llama/qwen2"), { task: classes, seed: 9 })
        assert(distance(logits(model, other), seen[0][0]) > 1e-3)
        yield* loadAdapters(model, `${directory}/saved`)
        assertEquals((yield* readParameters(model)).map(({ data }) => data), seen[0][1])
        assertEquals(distance(logits(model, other), seen[0][0]), 0)
      }),
      Layer.mergeAll(a, b, c, d),
      other,
    )
  })
})

const config = {
  model_type: "llama",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 32,
}

/** Which tokens a prompt's rows are the embeddings of. */
function startOf(options: PromptTuning.PromptTuningOptions, seed = 42): Promise<ReadonlyArray<number>> {
  return run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task: Task.causalLM(), seed })
      const values = yield* readParameters(model, model.parameters)
      const find = (end: string) => values.find(({ parameter }) => parameter.key.endsWith(end))!.data
      const [table, prompt] = [find("embed_tokens.weight"), find(":model.embedding.weight")]
      const row = (from: Float32Array, i: number) => from.slice(i * 8, (i + 1) * 8).join()
      const tokens = Array.from({ length: 20 }, (_, i) => row(table, i))
      return Array.from({ length: prompt.length / 8 }, (_, i) => tokens.indexOf(row(prompt, i)))
    }),
    PromptTuning.layer(options),
  )
}

Deno.test("it starts as embeddings of random tokens, or of a text's: over again, or cut", async () => {
  const sample = await startOf({ numVirtualTokens: 12 })
  assert(sample.every((token) => token >= 0) && new Set(sample).size > 4)
  assertEquals(await startOf({ numVirtualTokens: 12 }), sample)
  assert(`${await startOf({ numVirtualTokens: 12 }, 1)}` !== `${sample}`)
  assertEquals(await startOf({ numVirtualTokens: 5, promptTuningInitText: [4, 0, 7] }), [4, 0, 7, 4, 0])
  assertEquals(await startOf({ numVirtualTokens: 2, promptTuningInitText: [4, 0, 7] }), [4, 0])
  assertEquals(await startOf({ numVirtualTokens: 2, promptTuningInit: "RANDOM" }), [-1, -1])
})

Deno.test("a text goes through the model's tokenizer", async () => {
  const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
  const text = "ham or spam"
  const { loadTokenizer } = await import("../../../core/data/tokenizer_files/load_tokenizer.ts")
  await run(
    Effect.gen(function* () {
      const ids = (yield* loadTokenizer(directory)).encode(text)
      const model = yield* load(directory, { task: Task.causalLM() })
      const values = yield* readParameters(model, model.parameters)
      const find = (end: string) => values.find(({ parameter }) => parameter.key.endsWith(end))!
      const [{ data: table, parameter: { shape } }, { data }] = [find("embed_tokens.weight"), find("embedding.weight")]
      const width = shape[1]
      for (let i = 0; i < 4; i++) {
        const token = ids[i % ids.length]
        assertEquals(data.slice(i * width, (i + 1) * width), table.slice(token * width, (token + 1) * width))
      }
    }),
    PromptTuning.layer({ numVirtualTokens: 4, promptTuningInitText: text }),
  )
})
