/**
 * Any subset of methods, two of one kind included, in any order of `Layer.mergeAll`, is the same model: drawn at
 * random, saved into one folder, loaded together again.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { Plugins } from "../../core/contracts/plugins.ts"
import { gradients } from "../../core/graph/rewrite/gradients.ts"
import {
  generate,
  initialize,
  load,
  loadAdapters,
  type Model,
  readParameters,
  saveAdapters,
  saveCheckpoint,
  writeParameters,
} from "../../core/inference/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import * as ops from "../../core/tensor/ops.ts"
import { makeRng, type Rng } from "../../core/tensor/operations/random.ts"
import { wrapObjective } from "../../core/training/step/objectives.ts"
import { batchInputs } from "../../core/data/batches/batch_inputs.ts"
import * as BitFit from "../../examples/third_party/bitfit.ts"
import * as IA3 from "../../examples/third_party/ia3.ts"
import * as Adapters from "../../plugins/adapters/mod.ts"
import * as Lora from "../../plugins/lora/mod.ts"
import * as PrefixTuning from "../../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../../plugins/prompt_tuning/mod.ts"
import { evaluateAll } from "../support/evaluate.ts"
import { type MemoryBackend, memoryBackend } from "../support/memory_backend.ts"
import { type Base, failure, run } from "../support/model_layer.ts"
import { inDirectory } from "./files.ts"

/** The first case's; each has the next. */
const SEED = 20261122
const CASES = 50

/** A method by its id, and what makes it. */
interface Method {
  readonly id: string
  readonly options: unknown
  readonly make: () => Layer.Layer<never, PluginError, Base>
}

const bert = {
  model_type: "bert",
  vocab_size: 13,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 24,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  initializer_range: 0.3,
}
const llama = {
  model_type: "llama",
  vocab_size: 13,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 24,
  attention_bias: true,
  initializer_range: 0.3,
}
const labels = ["a", "b", "c"]
const models = [
  { name: "BERT, classification", config: bert, task: Task.classification(labels) },
  { name: "BERT, token classification", config: bert, task: Task.tokenClassification(labels) },
  { name: "Llama, classification", config: llama, task: Task.classification(labels) },
  { name: "Llama, causal language model", config: llama, task: Task.causalLM() },
]

const presets: ReadonlyArray<Adapters.AdapterConfigName> = ["seq_bn", "double_seq_bn", "par_bn", "scaled_par_bn"]
const starts: ReadonlyArray<Lora.LoraInitialization> = [true, false, "gaussian", "pissa", "olora"]

/** Draws one method of each kind by name; those of a third party are among them. */
function kinds(rng: Rng): ReadonlyArray<(name: string) => Method> {
  const one = <A>(values: ReadonlyArray<A>): A => values[rng.int(values.length)]
  const preset = () => ({ config: one(presets), reductionFactor: one([2, 4]), dropout: one([0, 0.2]) })
  return [
    (name) => {
      const ofLinear = {
        useDora: one([false, true]),
        initLoraWeights: one(starts),
        ...one([{}, { targetModules: "all-linear" }]),
      }
      const options: Lora.LoraOptions = {
        name,
        r: one([1, 2]),
        loraAlpha: one([2, 3]),
        loraDropout: one([0, 0.2]),
        useRslora: one([false, true]),
        bias: one(["none", "none", "lora_only", "all"]),
        ...one([ofLinear, ofLinear, { targetModules: ["word_embeddings", "embed_tokens"] }]),
      }
      return { id: `lora/${name}`, options, make: () => Lora.layer(options) }
    },
    (name) => {
      const id = `adapters/${name}`
      if (rng.int(3) > 0) {
        const options = { name, ...preset() }
        return { id, options, make: () => Adapters.layer(options) }
      }
      const same = { config: one(["seq_bn", "double_seq_bn"] as const), reductionFactor: 4 }
      const members = [{ name: "x", ...same }, { name: "y", ...same, nonLinearity: "tanh" }]
      const setup = one([
        Adapters.average(members, [1, 2]),
        Adapters.fuse(members),
        Adapters.stack({ name: "z", ...preset() }, Adapters.fuse(members, { config: "static" })),
      ])
      return { id, options: setup, make: () => Adapters.compose(setup, { name }) as ReturnType<Method["make"]> }
    },
    (name) => {
      const start = one([{ prefixProjection: true, encoderHiddenSize: 3 }, { initText: [3, 1] }, {}])
      const options: PrefixTuning.PrefixTuningOptions = { name, numVirtualTokens: one([1, 2]), ...start }
      return { id: `prefix_tuning/${name}`, options, make: () => PrefixTuning.layer(options) }
    },
    (name) => {
      const start = one([
        { encoderReparameterizationType: "MLP", encoderHiddenSize: 3 } as const,
        { promptTuningInitText: [3, 1] },
        { promptTuningInit: "RANDOM" } as const,
        {},
      ])
      const options: PromptTuning.PromptTuningOptions = { name, numVirtualTokens: one([1, 2]), ...start }
      return { id: `prompt_tuning/${name}`, options, make: () => PromptTuning.layer(options) }
    },
    (name) => {
      const options = { name, initIa3Weights: one([false, true]) }
      return { id: `ia3/${name}`, options, make: () => IA3.layer(options) }
    },
  ]
}

/** One to four methods; each kind may be there twice. Names of different kinds may be the same. */
function draw(rng: Rng): ReadonlyArray<Method> {
  const all = kinds(rng)
  const drawn = rng.shuffle([...all, ...all]).slice(0, 1 + rng.int(4))
  const names = new Map(all.map((kind) => [kind, rng.shuffle(["default", "a", "b"])]))
  const bitFit: Method = { id: "bitfit/default", options: {}, make: () => BitFit.layer }
  return [...drawn.map((kind) => kind(names.get(kind)!.pop()!)), ...(rng.int(5) === 0 ? [bitFit] : [])]
}

const ROWS = [[3, 8, 1, 5], [4, 7]]
const LENGTH = 4

/** Loss of a first training step and the gradients of all that trains, in float64. */
function firstStep(model: Model, { slots }: MemoryBackend): ReadonlyArray<ArrayLike<number>> {
  const { task } = model
  const batch = batchInputs("default", ROWS.length, LENGTH, task)
  const key = [0, 1].map((i) => ops.input(`key${i}`, [], { dtype: "i32" }))
  const settings = { training: true, key: [key[0], key[1]] } as const
  const trained = model.parameters.filter(({ trainable }) => trainable)
  const byKey = new Map(model.parameters.map(({ key, tensor }) => [key, tensor]))
  const objective = wrapObjective(model.task.objective, model.contributions, (key) => byKey.get(key)!, trained)
  const { loss, weight } = objective({
    batch,
    outputs: model.forward(batch, settings),
    base: () => model.forward(batch, { ...settings, methods: false }),
    parameter: (name) => byKey.get(name)!,
    trained: [],
  })
  const mean = ops.div(ops.batchSum(loss), ops.batchSum(weight))
  const padded = (row: ReadonlyArray<number>, fill: number) => [...row, ...Array(LENGTH - row.length).fill(fill)]
  const inputs = {
    tokens: ROWS.flatMap((row) => padded(row, 0)),
    lengths: ROWS.map(({ length }) => length),
    labels: task.head.kind === "sequence" ? [2, 0] : ROWS.flatMap((row) => padded(row.map((token) => token % 3), -100)),
    exampleWeight: ROWS.map(() => 1),
    key0: [5],
    key1: [11],
  }
  return evaluateAll([mean, ...gradients(mean, trained.map(({ tensor }) => tensor))], { inputs, slots })
}

/** A model with methods merged in an order, and what `use` makes of it. */
function withMethods<A>(
  methods: ReadonlyArray<Method>,
  base: string,
  task: Task,
  use: (model: Model, backend: MemoryBackend) => Effect.Effect<A, unknown, Base>,
  seed = 42,
): Promise<A> {
  const backend = memoryBackend()
  const [first, ...others] = methods.map(({ make }) => make())
  return run(
    Effect.flatMap(load(base, { task, seed }), (model) => use(model, backend)),
    Layer.mergeAll(first, ...others),
    backend,
  )
}

const valuesOf = (model: Model) =>
  Effect.map(readParameters(model, model.parameters), (all) => all.map(({ data }) => data))
/** Keys and what is known of each parameter before it has memory. */
const structureOf = ({ parameters, contributions }: Model) => [
  contributions.map(({ id }) => id),
  ...parameters.map(({ key, shape, trainable, owner, initializer }) => [key, shape, trainable, owner, initializer]),
]

/** Each method must have some effect on the loss. */
function assertAllTakePart(methods: ReadonlyArray<Method>, model: Model, gradients: ReadonlyArray<ArrayLike<number>>) {
  const trained = model.parameters.filter(({ trainable }) => trainable)
  for (const { id } of methods) {
    const own = gradients.filter((_, i) => trained[i].owner === (id === "bitfit/default" ? "base" : id))
    assert(
      own.some((one) => Array.from(one).some((value) => Math.abs(value) > 1e-9)),
      `${id} is idle`,
    )
  }
}

const PROMPT = Int32Array.of(3, 8, 1)

/** What goes on the prompt, each token by a whole forward of all before it. */
function likeliest(model: Model, { slots }: MemoryBackend): Int32Array {
  let text = PROMPT
  while (text.length < PROMPT.length + 3) {
    const { length } = text
    const { logits } = model.forward({
      tokens: ops.constant(text, [1, length]),
      lengths: ops.full(length, [1], "i32"),
      fields: {},
      exampleWeight: ops.full(1, [1]),
      task: "",
    }, { training: false })
    const [last] = evaluateAll([ops.narrow(logits, 1, length - 1, length)], { slots })
    text = Int32Array.of(...text, last.indexOf(Math.max(...last)))
  }
  return text.subarray(PROMPT.length)
}

async function check(methods: ReadonlyArray<Method>, rng: Rng, base: string, task: Task, saves: boolean) {
  const once = (order: ReadonlyArray<Method>) =>
    withMethods(order, base, task, (model, backend) =>
      Effect.gen(function* () {
        return { structure: structureOf(model), values: yield* valuesOf(model), step: firstStep(model, backend) }
      }))
  const first = await once(methods)
  assertEquals(await once(methods.length === 2 ? methods.toReversed() : rng.shuffle(methods)), first)
  if (!saves) return
  await inDirectory(async (directory) => {
    const saved = await withMethods(methods, base, task, (model, backend) =>
      Effect.gen(function* () {
        // As if it had been trained: what starts at zero would hide what is not read.
        const trained = yield* readParameters(model)
        const moved = trained.map(({ parameter, data }) => ({ parameter, data: data.map((x) => x + rng.normal() / 9) }))
        yield* writeParameters(model, moved)
        const step = firstStep(model, backend)
        assertAllTakePart(methods, model, step.slice(1))
        if (task.kind === "causal-lm") {
          assertEquals(yield* generate(model, PROMPT, { maxNewTokens: 3 }), likeliest(model, backend))
        }
        yield* saveAdapters(model, `${directory}/saved`)
        return { values: yield* valuesOf(model), step }
      }))
    const loaded = await withMethods(rng.shuffle(methods), base, task, (model, backend) =>
      Effect.gen(function* () {
        yield* loadAdapters(model, `${directory}/saved`)
        return { values: yield* valuesOf(model), step: firstStep(model, backend) }
      }), 7)
    assertEquals(loaded, saved)
  })
}

for (const [index, { name, config, task }] of models.entries()) {
  Deno.test(`any methods in any order, ${name}: the same model; saved and loaded, too`, async () => {
    await inDirectory(async (base) => {
      await run(Effect.flatMap(initialize(config, { task }), (model) => saveCheckpoint(model, `${base}/base`)))
      for (let i = 0; i < CASES; i++) {
        const seed = SEED + index * CASES + i
        const rng = makeRng(seed)
        const methods = draw(rng)
        try {
          await check(methods, rng, `${base}/base`, task, i % 2 === 0)
        } catch (error) {
          const list = methods.map(({ id, options }) => `${id} ${JSON.stringify(options)}`).join("\n")
          throw new Error(`seed ${seed}, with\n${list}\n${(error as Error).message}`, { cause: error })
        }
      }
    })
  })
}

/** A model's folder whose weights cannot be read: what is found before them is found in time. */
async function refused(
  methods: ReadonlyArray<Layer.Layer<never, PluginError, Base>>,
  config: Readonly<Record<string, unknown>> = llama,
): Promise<string> {
  let message = ""
  await inDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify(config))
    Deno.writeTextFileSync(`${directory}/model.safetensors`, "no weights")
    const [first, ...others] = methods
    const error = await failure(load(directory, { task: Task.causalLM() }), Layer.mergeAll(first, ...others))
    message = `${error._tag}: ${error.message}`
  })
  return message
}

/** A plugin that comes after others. */
const ordered = (id: string, ...after: ReadonlyArray<string>): Layer.Layer<never, PluginError, Base> =>
  Layer.effectDiscard(Effect.flatMap(Plugins, ({ register }) => register({ id, after })))

Deno.test("methods that cannot work together say so before weights are read; each alone can", async () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<Layer.Layer<never, PluginError, Base>>, string]> = [
    [
      [PrefixTuning.layer({ numVirtualTokens: 12 }), PromptTuning.layer({ numVirtualTokens: 12 })],
      "prefixes of 24 places leave no room in the model's 24 positions",
    ],
    [
      [PromptTuning.layer({ numVirtualTokens: 20 }), PromptTuning.layer({ name: "b", numVirtualTokens: 4 })],
      "prefixes of 24 places leave no room in the model's 24 positions",
    ],
    [[Lora.layer(), Lora.layer({ r: 2 })], 'Two plugins have the id "lora/default"'],
    [[Adapters.layer(), Adapters.layer({ config: "par_bn" })], 'Two plugins have the id "adapters/default"'],
    [[IA3.layer(), IA3.layer({ initIa3Weights: false })], 'Two plugins have the id "ia3/default"'],
    [[ordered("one/a", "two"), ordered("two/a", "three"), ordered("three/a", "one")], "runs in a circle among"],
    [[Lora.layer(), Lora.layer({ name: "lora" })], "lora/lora: its name is the method of lora/default"],
    [[Lora.layer({ name: "prefix_tuning" }), PrefixTuning.layer()], "give it another name"],
  ]
  for (const [methods, expected] of cases) {
    const message = await refused(methods)
    assertStringIncludes(message, "PluginError")
    assertStringIncludes(message, expected)
    for (const method of methods) assertStringIncludes(await refused([method]), "SafetensorsError")
  }
})
