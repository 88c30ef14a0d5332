import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import type { PluginError } from "../../../core/contracts/plugin_error.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import type { Site } from "../../../core/contracts/site.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { initialize, load, saveAdapters, saveCheckpoint } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { embed } from "../../../core/training/embed.ts"
import { batchInputs } from "../../../core/data/batches/batch_inputs.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { encodeTensors } from "../../../plugins/peft_format/mod.ts"
import { tensorsOf } from "../../core/model/stored.ts"
import { evaluateAll } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { logits } from "../files.ts"

interface Expected {
  readonly tokens: number[][]
  readonly lengths: number[]
  readonly logits: number[]
  readonly hidden: number[]
  readonly embeddings: number[]
  readonly keyValues: { readonly values: number[]; readonly logits: number[] }
  readonly rows: { readonly values: number[]; readonly logits: number[] }
}

const expectedOf = (name: string): Expected => JSON.parse(Deno.readTextFileSync(fixture(`bert/${name}/expected.json`)))
const classes = ["LABEL_0", "LABEL_1", "LABEL_2"]

const batch: BatchTensors = {
  tokens: ops.input("tokens", [2, 7], { dtype: "i32", batch: true }),
  lengths: ops.input("lengths", [2], { dtype: "i32", batch: true }),
  fields: { labels: ops.input("labels", [2], { dtype: "i32", batch: true }) },
  exampleWeight: ops.input("exampleWeight", [2], { batch: true }),
  task: "default",
}

/** How far hidden states and logits of a fixture's rows without padding are from those of transformers. */
const difference = (
  name: string,
  task: Task,
  wanted?: number[],
  plugins?: Layer.Layer<never, PluginError, Plugins>,
) => {
  const expected = { ...expectedOf(name), ...(wanted === undefined ? {} : { logits: wanted }) }
  const backend = memoryBackend()
  return run(
    Effect.gen(function* () {
      const model = yield* load(fixture(`bert/${name}`), { task })
      const outputs = model.forward(batch, { training: false })
      const data = { inputs: { tokens: expected.tokens.flat(), lengths: expected.lengths }, slots: backend.slots }
      const [hidden, logits] = evaluateAll([outputs.hidden, outputs.logits], data)
      const cut = (values: ArrayLike<number>, width: number) =>
        Array.from(values).filter((_, i) => Math.floor(i / width) % 7 < expected.lengths[Math.floor(i / width / 7)])
      const ours = task.kind === "classification" ? logits : cut(logits, outputs.logits.shape[2])
      return {
        model,
        hidden: distance(cut(hidden, 16), expected.hidden),
        logits: expected.logits === undefined ? NaN : distance(ours, expected.logits),
      }
    }),
    plugins,
    backend,
  )
}

const cases = [
  ["classification", Task.classification(classes), "BertForSequenceClassification"],
  ["tokens", Task.tokenClassification(classes), "BertForTokenClassification"],
  ["masked", Task.maskedLM(), "BertForMaskedLM"],
  ["distilbert_classification", Task.classification(classes), "DistilBertForSequenceClassification"],
  ["distilbert_masked", Task.maskedLM(), "DistilBertForMaskedLM"],
  ["roberta_classification", Task.classification(classes), "RobertaForSequenceClassification"],
  ["roberta_masked", Task.maskedLM(), "RobertaForMaskedLM"],
  ["xlm_roberta_tokens", Task.tokenClassification(classes), "XLMRobertaForTokenClassification"],
] as const

for (const [name, task, architecture] of cases) {
  Deno.test(`${name}: hidden states and logits as in transformers`, async () => {
    const { hidden, logits, model } = await difference(name, task)
    assert(hidden < 1e-5, `hidden states are off by ${hidden}`)
    assert(logits < 1e-5, `logits are off by ${logits}`)
    assertEquals(model.network.architecture, architecture)
    assertEquals(model.notes, [])
    assert(!model.parameters.some(({ key }) => key.includes("decoder") || key === "vocab_projector.weight"))
  })
}

for (const [name, decoder] of [["masked", "cls.predictions.decoder"], ["distilbert_masked", "vocab_projector"]]) {
  Deno.test(`${name}: a decoder that is no longer tied is saved, and loads untied`, async () => {
    const directory = await Deno.makeTempDir()
    try {
      const tensors = await tensorsOf(`bert/${name}`)
      const prefix = name === "masked" ? "bert" : "distilbert"
      const { shape, data } = tensors.get(`${prefix}.embeddings.word_embeddings.weight`)!
      tensors.set(`${decoder}.weight`, { shape, data: data.map((x, i) => x + Math.sin(i)) })
      Deno.copyFileSync(fixture(`bert/${name}/config.json`), `${directory}/config.json`)
      Deno.writeFileSync(`${directory}/model.safetensors`, encodeTensors(tensors))
      const outputs = async (path: string) => {
        const backend = memoryBackend()
        const saving = Effect.gen(function* () {
          const model = yield* load(path, { task: Task.maskedLM() })
          if (path === directory) yield* saveCheckpoint(model, `${directory}/saved`)
          return { logits: Array.from(logits(model, backend)), config: model.config }
        })
        return await run(saving, undefined, backend)
      }
      const before = await outputs(directory)
      const after = await outputs(`${directory}/saved`)
      assertEquals(after.logits, before.logits)
      assertEquals(after.config.tie_word_embeddings, false)
      assert(distance((await outputs(fixture(`bert/${name}`))).logits, before.logits) > 1e-2)
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  })
}

Deno.test("a backbone's file without prefix and with old names loads; its head starts anew", async () => {
  const { hidden, model } = await difference("backbone", Task.classification(["a", "b"]))
  assert(hidden < 1e-5, `hidden states are off by ${hidden}`)
  assertStringIncludes(model.notes.join(), "new and trained: classifier.weight, classifier.bias")
  assert(model.parameters.some(({ key }) => key === "bert.embeddings.LayerNorm.weight"))
})

Deno.test("a task without a head, and a file with names that belong nowhere, are refused", async () => {
  const error = await failure(load(fixture("bert/distilbert_masked"), { task: Task.causalLM() }))
  assertStringIncludes(error.message, 'type "distilbert" has no head for causal-lm')
  const directory = await Deno.makeTempDir()
  try {
    const config = JSON.parse(Deno.readTextFileSync(fixture("bert/backbone/config.json")))
    await Deno.writeTextFile(`${directory}/config.json`, JSON.stringify({ ...config, num_hidden_layers: 1 }))
    await Deno.copyFile(fixture("bert/backbone/model.safetensors"), `${directory}/model.safetensors`)
    const { message } = await failure(load(directory, { task: Task.maskedLM() }))
    assertStringIncludes(message, "unexpected (16): bert.encoder.layer.1.")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("embeddings are means over tokens that are not padding, as sentence-transformers has them", async () => {
  const { tokens, lengths, embeddings } = expectedOf("backbone")
  const ids = (text: string) => Int32Array.from(tokens[Number(text)].slice(0, lengths[Number(text)]))
  const tokenizer: Tokenizer = {
    vocabSize: 32,
    addsSpecialTokens: false,
    encode: ids,
    decode: String,
    token: String,
    id: Number,
  }
  const [plain, normalized] = await run(Effect.gen(function* () {
    const model = yield* load(fixture("bert/backbone"), { task: Task.maskedLM() })
    const of = (normalize: boolean) => embed(model, ["1", "0", "1"], { tokenizer, normalize, batchSize: 2 })
    return [yield* of(false), yield* of(true)]
  }))
  const rows = [embeddings.slice(16), embeddings.slice(0, 16), embeddings.slice(16)]
  assert(distance(plain.flatMap((row) => [...row]), rows.flat()) < 1e-5)
  const unit = rows.flatMap((row) => row.map((x) => x / Math.hypot(...row)))
  assert(distance(normalized.flatMap((row) => [...row]), unit) < 1e-5)
})

Deno.test("default targets, and heads that train whole, as in PEFT", async () => {
  const trained = (name: string) =>
    run(
      Effect.map(
        load(fixture(`bert/${name}`), { task: Task.classification(classes) }),
        ({ parameters }) => parameters.filter(({ trainable }) => trainable).map(({ module }) => module),
      ),
      Layer.effectDiscard(Effect.service(Lora.Lora)).pipe(Layer.provide(Lora.layer())),
    )
  const layers = (path: (layer: number) => string[]) => [0, 1].flatMap(path)
  assertEquals(
    new Set(await trained("classification")),
    new Set([
      "classifier",
      ...layers((i) => ["query", "value"].map((name) => `bert.encoder.layer.${i}.attention.self.${name}`)),
    ]),
  )
  assertEquals(
    new Set(await trained("distilbert_classification")),
    new Set([
      "pre_classifier",
      "classifier",
      ...layers((i) => ["q_lin", "v_lin"].map((name) => `distilbert.transformer.layer.${i}.attention.${name}`)),
    ]),
  )
})

for (const [name, task] of [cases[0], cases[2], cases[4]]) {
  Deno.test(`${name}: derivatives by example add up to those of the batch`, async () => {
    const { tokens, lengths } = expectedOf(name)
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture(`bert/${name}`), { task })
        const batch = batchInputs("default", 2, 7, task)
        const outputs = model.forward(batch, { training: false })
        const none = () => {
          throw new Error("unused")
        }
        const loss = ops.batchSum(task.objective({ batch, outputs, base: none, parameter: none, trained: [] }).loss)
        const wanted = model.parameters.map(({ tensor }) => tensor)
        const labels = task.kind === "classification"
          ? [1, 2]
          : lengths.flatMap((n) => tokens[0].map((t, i) => i < n ? t : -100))
        const of = (found: ReadonlyArray<Tensor>) =>
          evaluateAll(found, { inputs: { tokens: tokens.flat(), lengths, labels }, slots: backend.slots })
        const whole = of(gradients(loss, wanted))
        const parts = of(gradients(loss, wanted, { perExample: true }).map((each) => ops.batchSum(each)))
        whole.forEach((values, i) => assert(distance(values, parts[i]) < 1e-9, model.parameters[i].key))
      }),
      undefined,
      backend,
    )
  })
}

Deno.test("dropout is where the config has it, in training alone", async () => {
  const none = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, classifier_dropout: 0 }
  const { tokens, lengths } = expectedOf("classification")
  const stored = JSON.parse(Deno.readTextFileSync(fixture("bert/classification/config.json")))
  const logitsOf = async (rates: Record<string, number>) => {
    const backend = memoryBackend()
    return await run(
      Effect.gen(function* () {
        const model = yield* initialize({ ...stored, ...none, ...rates }, { task: Task.classification(classes) })
        const key = [ops.input("key", [], { dtype: "i32" }), ops.full(0, [], "i32")] as const
        const of = (training: boolean, key0: number) => {
          const inputs = { tokens: tokens.flat(), lengths, key: [key0] }
          return evaluateAll([model.forward(batch, { training, key }).logits], { inputs, slots: backend.slots })[0]
        }
        return { still: of(false, 1), first: of(true, 1), again: of(true, 1), second: of(true, 2) }
      }),
      undefined,
      backend,
    )
  }
  const off = await logitsOf({})
  assertEquals(off.first, off.still)
  for (const name of Object.keys(none)) {
    const { still, first, again, second } = await logitsOf({ [name]: 0.5 })
    assertEquals(still, off.still)
    assertEquals(first, again)
    assert(distance(first, still) > 1e-6 && distance(first, second) > 1e-6, name)
  }
})

Deno.test("a head that is new and random trains whole beside an adapter, and the adapter's files hold it", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const trained = await run(
      Effect.gen(function* () {
        const model = yield* load(fixture("bert/backbone"), { task: Task.maskedLM() })
        yield* saveAdapters(model, `${directory}/adapter`)
        return model.parameters.filter(({ trainable, owner }) => trainable && owner === "base").map(({ key }) => key)
      }),
      Layer.effectDiscard(Effect.service(Lora.Lora)).pipe(Layer.provide(Lora.layer({ targetModules: "all-linear" }))),
    )
    const head = "cls.predictions.transform.dense"
    assertEquals(trained, [`${head}.weight`, `${head}.bias`])
    const config = JSON.parse(await Deno.readTextFile(`${directory}/adapter/adapter_config.json`))
    assertEquals([config.task_type, config.modules_to_save], [null, [head]])
    assert(config.target_modules.every((path: string) => path.startsWith("bert.encoder.")), config.target_modules)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("prefix keys count as past_key_values do in transformers, rows before the tokens as inputs_embeds", async () => {
  const { keyValues, rows } = expectedOf("masked")
  const part = (values: number[], shape: number[], at = 0) => {
    const size = shape.reduce((a, b) => a * b)
    const data = Float32Array.from(values.slice(at * size, (at + 1) * size))
    return { shape, initializer: { kind: "values", data } as const }
  }
  const places: ReadonlyArray<readonly [number[], Site]> = [
    [keyValues.logits, {
      select: (module) => module.kind === "Attention",
      plan: ({ path, sizes: { keyValueHeads, headDim } }) => {
        const layer = Number(path.split(".")[3])
        const shape = [1, keyValueHeads, 3, headDim]
        return {
          place: "kv-prefix",
          length: 3,
          parameters: {
            keys: part(keyValues.values, shape, 2 * layer),
            values: part(keyValues.values, shape, 2 * layer + 1),
          },
          forward: (scope) => ({ keys: scope.parameter("keys"), values: scope.parameter("values") }),
        }
      },
    }],
    [rows.logits, {
      select: "bert",
      plan: () => ({
        place: "input-prefix",
        length: 2,
        parameters: { rows: part(rows.values, [2, 16]) },
        forward: (scope) => scope.parameter("rows"),
      }),
    }],
  ]
  for (const [expected, site] of places) {
    const contribution = { id: "test/prefix", sites: [site] }
    const { logits } = await difference(
      "masked",
      Task.maskedLM(),
      expected,
      Layer.effectDiscard(Effect.flatMap(Effect.service(Plugins), (plugins) => plugins.register(contribution))),
    )
    assert(logits < 1e-5, `logits are off by ${logits}`)
  }
})
