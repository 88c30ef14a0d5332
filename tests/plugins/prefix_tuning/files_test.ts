import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { load, loadAdapters, readParameters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { inDirectory, logits, shapesIn, tokens } from "../files.ts"

const classes = Task.classification(["a", "b", "c"])

const models = [
  { name: "grouped heads", model: "llama/mistral", task: Task.causalLM(), heads: 2, width: 12 },
  { name: "classification", model: "llama/qwen2", task: classes, heads: 2, width: 8 },
  { name: "BERT", model: "bert/classification", task: classes, heads: 4, width: 16 },
  { name: "DistilBERT", model: "bert/distilbert_classification", task: classes, heads: 4, width: 16 },
]

for (const { name, model: base, task, heads, width } of models) {
  for (const prefixProjection of [false, true]) {
    Deno.test(`${name}, projection ${prefixProjection}: saved, loaded, and read by fromPeft`, async () => {
      await inDirectory(async (directory) => {
        const options = { numVirtualTokens: 3, prefixProjection, ...(prefixProjection ? { encoderHiddenSize: 5 } : {}) }
        const backend = memoryBackend()
        const before = await run(
          Effect.gen(function* () {
            const model = yield* load(fixture(base), { task })
            assert(distance(logits(model, backend), logits(model, backend, false)) > 1e-3)
            yield* saveAdapters(model, `${directory}/saved`)
            return { logits: logits(model, backend), values: (yield* readParameters(model)).map(({ data }) => data) }
          }),
          PrefixTuning.layer(options),
          backend,
        )
        const file = shapesIn(`${directory}/saved/adapter_model.safetensors`)
        assertEquals(file.prompt_embeddings, [3, 2 * 2 * width])
        const heading = Object.keys(file).filter((key) => key !== "prompt_embeddings")
        assert(heading.every((key) => /^base_model\.(score|(pre_)?classifier)\./.test(key)), heading.join())
        assertEquals(heading.length > 0, task === classes)
        const config = JSON.parse(Deno.readTextFileSync(`${directory}/saved/adapter_config.json`))
        assertEquals(
          [config.peft_type, config.num_attention_heads, config.token_dim, config.num_layers, config.prefix_projection],
          ["PREFIX_TUNING", heads, width, 2, prefixProjection],
        )
        // Another seed, then the file.
        const other = memoryBackend()
        await run(
          Effect.gen(function* () {
            const model = yield* load(fixture(base), { task, seed: 7 })
            assert(distance(logits(model, other), before.logits) > 1e-3)
            yield* loadAdapters(model, `${directory}/saved`)
            assertEquals((yield* readParameters(model)).map(({ data }) => data), before.values)
          }),
          PrefixTuning.layer(options),
          other,
        )
        // With and without the network, which PEFT does not save.
        for (const network of prefixProjection ? [true, false] : [false]) {
          if (prefixProjection && !network) await Deno.remove(`${directory}/saved/prompt_encoder.safetensors`)
          const third = memoryBackend()
          await run(
            Effect.gen(function* () {
              const model = yield* load(fixture(base), { task })
              assertEquals(model.parameters.some(({ key }) => key.includes("transform.0")), network)
              assert(distance(logits(model, third), before.logits) < 1e-5)
            }),
            PrefixTuning.fromPeft(`${directory}/saved`) as never,
            third,
          )
        }
        if (!prefixProjection) return
        const error = await failure(
          Effect.flatMap(load(fixture(base), { task }), (model) => loadAdapters(model, `${directory}/saved`)),
          PrefixTuning.layer(options),
        )
        assertStringIncludes(error.message, "load them with fromPeft")
      })
    })
  }
}

Deno.test("two prefixes and LoRA: one folder holds all, and loads again", async () => {
  const all = () =>
    Layer.mergeAll(
      PrefixTuning.layer({ numVirtualTokens: 2 }),
      PrefixTuning.layer({ name: "other", numVirtualTokens: 3, prefixProjection: true }),
      Lora.layer({ r: 2, initLoraWeights: false }),
    )
  await inDirectory(async (directory) => {
    const backend = memoryBackend()
    const task = classes
    const [before, values] = await run(
      Effect.gen(function* () {
        const model = yield* load(fixture("llama/qwen2"), { task })
        assertEquals(model.network.maxPositions, 64 - 5)
        const { prefixes } = yield* PrefixTuning.PrefixTuning
        assertEquals([...(yield* prefixes).keys()], ["default", "other"])
        yield* saveAdapters(model, `${directory}/saved`)
        return [logits(model, backend), (yield* readParameters(model)).map(({ data }) => data)] as const
      }),
      all(),
      backend,
    )
    const other = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture("llama/qwen2"), { task, seed: 9 })
        assert(distance(logits(model, other), before) > 1e-3)
        yield* loadAdapters(model, `${directory}/saved`)
        assertEquals((yield* readParameters(model)).map(({ data }) => data), values)
        assertEquals(distance(logits(model, other), before), 0)
      }),
      all(),
      other,
    )
    // The first plugin's files lie at the top.
    const third = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture("llama/qwen2"), { task })
        assert(distance(logits(model, third), before) < 1e-5)
      }),
      Layer.mergeAll(
        Lora.fromPeft(`${directory}/saved`),
        PrefixTuning.fromPeft(`${directory}/saved/prefix_tuning`),
        PrefixTuning.fromPeft(`${directory}/saved`, "other"),
      ) as never,
      third,
    )
  })
})

Deno.test("a prefix from a text is the text itself, read before", async () => {
  const text = [5, 2, 11]
  const backend = memoryBackend()
  await run(
    Effect.gen(function* () {
      const model = yield* load(fixture("llama/mistral"), { task: Task.causalLM() })
      const whole = [...text, ...tokens]
      const graph = model.forward({
        tokens: ops.constant(Int32Array.from(whole), [1, whole.length]),
        lengths: ops.full(whole.length, [1], "i32"),
        fields: {},
        exampleWeight: ops.full(1, [1]),
        task: "",
      }, { training: false, methods: false })
      const expected = evaluate(ops.narrow(graph.logits, 1, text.length, whole.length), { slots: backend.slots })
      const error = distance(logits(model, backend), expected)
      assert(error < 1e-5, `${error}`)
    }),
    PrefixTuning.layer({ numVirtualTokens: 3, initText: text }),
    backend,
  )
})
