/**
 * `FEATURES.md` holds what it says: each cell of its tables is a method that trains, or an error.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Backend, type BackendService } from "../core/backend/backend.ts"
import type { PluginError } from "../core/contracts/plugin_error.ts"
import { layer as pluginsLayer } from "../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../core/model/load/families.ts"
import { initialize, load, type Model, readParameters, saveCheckpoint } from "../core/model/mod.ts"
import { Task } from "../core/tasks/builtin.ts"
import { makeSession } from "../core/training/session.ts"
import * as IA3 from "../examples/third_party/ia3.ts"
import * as Adapters from "../plugins/adapters/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as PrefixTuning from "../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../plugins/prompt_tuning/mod.ts"
import * as QaLora from "../plugins/qa_lora/mod.ts"
import * as QLora from "../plugins/qlora/mod.ts"
import * as Quantization from "../plugins/quantization/mod.ts"
import { withBackend } from "./core/backend/wasm/with_backend.ts"
import { onWebgpu, withWebgpu } from "./core/backend/webgpu/with_webgpu.ts"
import { bert, roberta } from "./features/bert.ts"
import { gemma } from "./features/gemma.ts"
import { granite } from "./features/granite.ts"
import { gpt2 } from "./features/gpt2.ts"
import { euroBert } from "./features/eurobert.ts"
import type { FeatureGroup, ModelConfig } from "./features/group.ts"
import { lfm2 } from "./features/lfm2.ts"
import { llama } from "./features/llama.ts"
import { modernBert } from "./features/modernbert.ts"
import { smollm3 } from "./features/smollm3.ts"
import { t5 } from "./features/t5.ts"
import type { Base } from "./support/model_layer.ts"
import { inDirectory } from "./plugins/files.ts"

/** The families of all plugins. */
const GROUPS: ReadonlyArray<FeatureGroup> = [
  bert,
  roberta,
  modernBert,
  euroBert,
  gpt2,
  lfm2,
  llama,
  gemma,
  smollm3,
  granite,
  t5,
]

/** Tasks by the headings. */
const TASKS: Readonly<Record<string, Task>> = {
  "Classification": Task.classification(["a", "b", "c"]),
  "Token classification": Task.tokenClassification(["a", "b", "c"]),
  "Masked language modelling": Task.maskedLM(),
  "Causal language modelling": Task.causalLM(),
  "Seq2seq": Task.seq2seq(),
}

/** What a row of the tables stands for. */
interface Method {
  readonly layer: Layer.Layer<never, PluginError, Base>
  /** Names of its parameters that train, all of them. None: it has none of its own, and the model's own train. */
  readonly trains: ReadonlyArray<string>
  /** Whether all of a classifier trains that lies outside of the backbone. Default: PEFT's names of heads. */
  readonly wholeHead?: boolean
}

const lora = (options: Lora.LoraOptions, ...more: ReadonlyArray<string>): Method => ({
  layer: Lora.layer({ r: 2, ...options }),
  trains: ["lora_A", "lora_B", ...more],
})
const inGroups = Quantization.layer({ format: "grouped", groupSize: 8 })
const quantized = <I, R extends Base | Quantization.Quantization | Quantization.GroupQuantization>(
  method: Layer.Layer<I, PluginError, R>,
) => Layer.provideMerge(method, inGroups) as unknown as Layer.Layer<never, PluginError, Base>
const linear = (name: string) => [`${name}.weight`, `${name}.bias`]
const adapter = (config: Adapters.AdapterConfigName, ...more: ReadonlyArray<string>): Method => ({
  layer: Adapters.layer({ config, reductionFactor: 2 }),
  trains: [...linear("adapter_down.0"), ...linear("adapter_up"), ...more],
  wholeHead: true,
})
const members = ["a", "b"].map((name) => ({ name, reductionFactor: 2 }))

const none: Method["layer"] = Layer.empty

/** Methods by the tables' rows. */
const METHODS: Readonly<Record<string, Method>> = {
  "Full fine-tuning": { layer: none, trains: [] },
  "LoRA": lora({}),
  "LoRA+": lora({ loraPlusLrRatio: 16 }),
  "DoRA": lora({ useDora: true }, "lora_magnitude_vector"),
  "PiSSA": lora({ initLoraWeights: "pissa" }),
  "OLoRA": lora({ initLoraWeights: "olora" }),
  "QLoRA": { layer: quantized(QLora.layer({ r: 2 })), trains: ["lora_A", "lora_B"] },
  "QA-LoRA": { layer: quantized(QaLora.layer({ r: 2, groupSize: 8 })), trains: ["lora_A", "lora_B"] },
  "Adapters `seq_bn`": adapter("seq_bn"),
  "Adapters `double_seq_bn`": adapter("double_seq_bn"),
  "Adapters `par_bn`": adapter("par_bn"),
  "Adapters `scaled_par_bn`": adapter("scaled_par_bn", "scaling"),
  "AdapterFusion": {
    layer: Adapters.compose(Adapters.fuse(members)) as Layer.Layer<never, PluginError, Base>,
    trains: [...linear("a,b.query"), ...linear("a,b.key"), "a,b.value.weight"],
    wholeHead: true,
  },
  "Prefix tuning": { layer: PrefixTuning.layer({ numVirtualTokens: 2 }), trains: ["keys", "values"] },
  "Prefix tuning, projected": {
    layer: PrefixTuning.layer({ numVirtualTokens: 2, prefixProjection: true, encoderHiddenSize: 4 }),
    trains: ["embedding.weight", ...linear("transform.0"), ...linear("keys"), ...linear("values")],
  },
  "Prompt tuning": { layer: PromptTuning.layer({ numVirtualTokens: 2 }), trains: ["embedding.weight"] },
  "P-tuning": {
    layer: PromptTuning.layer({ numVirtualTokens: 2, encoderReparameterizationType: "MLP", encoderHiddenSize: 8 }),
    trains: ["embedding.weight", ...[0, 2, 4].flatMap((i) => linear(`mlp_head.${i}`))],
  },
  "IA3 (`examples/third_party`)": { layer: IA3.layer(), trains: ["ia3_l"] },
}

const CELLS = ["wasm", "wasm, WebGPU", "no"]

/** A cell and where it stands. */
interface Cell {
  readonly task: string
  readonly group: string
  readonly family: string
  readonly method: string
  readonly says: string
}

const text = Deno.readTextFileSync(new URL("../FEATURES.md", import.meta.url))
const [tables] = text.split("## Around a method")
const cells: ReadonlyArray<Cell> = tables.split(/^## /m).slice(1).flatMap((section) => {
  const [heading, ...lines] = section.split("\n")
  const [task, group] = heading.split(": ")
  const rows = lines.filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
  const [[, ...families], , ...methods] = rows
  return methods.flatMap(([method, ...says]) =>
    says.map((says, i) => ({ task, group, family: families[i], method, says }))
  )
})

const groupOf = ({ group }: Cell) => GROUPS.find(({ title }) => title === group)!
const modelOf = (cell: Cell) => groupOf(cell).models[cell.family]

Deno.test("FEATURES.md has a cell for each task, method and family", () => {
  const place = ({ task, group, family, method }: Omit<Cell, "says">) => `${task}: ${group}, ${method}, ${family}`
  const wanted = Object.keys(TASKS).flatMap((task) =>
    GROUPS.filter(({ tasks }) => tasks.includes(task)).flatMap(({ title: group, models }) =>
      Object.keys(METHODS).flatMap((method) =>
        Object.keys(models).map((family) => place({ task, group, family, method }))
      )
    )
  )
  assertEquals(cells.map(place), wanted)
  for (const cell of cells) assert(CELLS.includes(cell.says), `${place(cell)}: ${cell.says}`)
})

function run<A, E>(
  backend: BackendService,
  effect: Effect.Effect<A, E, Base | Scope.Scope>,
  method: Method["layer"],
): Promise<A> {
  const base = Layer.mergeAll(Layer.succeed(Backend, backend), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const families = GROUPS.map(({ layer }) => layer).reduce((all, layer) => Layer.merge(all, layer))
  const all = Layer.merge(method, families).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A, E>)
}

const ROWS = [[3, 8, 1, 5], [4, 7, 2]]
const LENGTH = 4

/** Two steps; gives their losses. */
async function train(model: Model): Promise<ReadonlyArray<number>> {
  const session = await makeSession(model, { seed: 1 })
  const padded = (row: ReadonlyArray<number>, fill: number) => [...row, ...Array(LENGTH - row.length).fill(fill)]
  const batch = {
    task: "default",
    shape: [ROWS.length, LENGTH],
    tokens: Int32Array.from(ROWS.flatMap((row) => padded(row, 0))),
    lengths: Int32Array.from(ROWS.map(({ length }) => length)),
    exampleWeight: Float32Array.from(ROWS.map(() => 1)),
    rows: Int32Array.from(ROWS.map((_, i) => i)),
    fields: {
      labels: model.task.head.kind === "sequence"
        ? Int32Array.of(2, 0)
        : Int32Array.from(ROWS.flatMap((row) => padded(row.map((token) => token % 3), -100))),
    },
    ...(model.task.fields.labels.per === "target" ? { targetLength: LENGTH } : {}),
  } as const
  try {
    const losses: Array<number> = []
    for (let step = 0; step < 2; step++) {
      await session.post({ batches: [batch] }, 1e-2)
      losses.push(...(await session.drain()).map(({ loss }) => loss))
    }
    return losses
  } finally {
    await session.dispose()
  }
}

const isHead = (key: string) => /^(classifier|pre_classifier|score)\./.test(key)

/** The bias of keys without rotation adds the same to all scores of a softmax: its gradient is zero, up to rounding. */
const isInvariantKey = (key: string) => /\.key\.bias$/.test(key)

/** A parameter's name without the number of its prefix, where layers share some. */
const plain = (name: string): string => name.replace(/^\d+\./, "")

/** A cell that is no "no", with a model in a directory. */
async function trains(backend: BackendService, cell: Cell, directory: string): Promise<void> {
  const { layer, trains: names, wholeHead = false } = METHODS[cell.method]
  const isBeside = TASKS[cell.task].head.kind !== "vocabulary" && wholeHead ? groupOf(cell).isBesideHead : undefined
  const isInvariant = (key: string) => isInvariantKey(key) || groupOf(cell).isInvariant?.(key)
  const whole = names.length === 0
  await run(
    backend,
    Effect.gen(function* () {
      const model = yield* load(directory, { task: TASKS[cell.task] })
      const before = yield* readParameters(model, model.parameters)
      const losses = yield* Effect.promise(() => train(model))
      assert(losses.every((loss) => Number.isFinite(loss) && loss > 0), `losses ${losses}`)
      const after = yield* readParameters(model, model.parameters)
      for (const [i, { parameter: { key, name, owner }, data }] of before.entries()) {
        const changes = data.some((value, j) => value !== after[i].data[j])
        const isOwn = whole || isHead(key) || isBeside?.(key) === true
        const expected = owner === "base" ? isOwn : names.includes(plain(name))
        if (changes || !isInvariant(key)) assertEquals(changes, expected, `${key} ${changes ? "changed" : "stayed"}`)
      }
      const own = new Set(model.parameters.filter(({ owner }) => owner !== "base").map(({ name }) => plain(name)))
      assertEquals(names.filter((name) => !own.has(name)), [])
    }),
    layer,
  )
}

/** A family without a head for a task. */
async function isRefused(backend: BackendService, model: ModelConfig, task: Task, method = none): Promise<void> {
  const making = Effect.asVoid(initialize(model, { task }))
  const error = await run(backend, Effect.flip(making), method).catch(() => undefined)
  assert(error?._tag === "ModelError", "it does not fail as it should")
  assertStringIncludes(error.message, `has no head for ${task.kind}`)
}

/** All cells of a backend, by method; each error says where it is. */
async function check(t: Deno.TestContext, backend: BackendService, own: ReadonlyArray<Cell>): Promise<void> {
  assert(own.length > 0)
  await inDirectory(async (base) => {
    const made = new Set<string>()
    /** A model's directory, made when it is first asked for. */
    const directoryOf = async (cell: Cell) => {
      const { family, task } = cell
      const directory = `${base}/${family} ${task}`
      if (made.has(directory)) return directory
      made.add(directory)
      const making = initialize(modelOf(cell), { task: TASKS[task] })
      const saved = Effect.flatMap(making, (model) => saveCheckpoint(model, directory))
      await run(backend, saved, none)
      return directory
    }
    for (const [method, cells] of Map.groupBy(own, ({ method }) => method)) {
      await t.step(method, async () => {
        for (const cell of cells) {
          try {
            await (cell.says === "no"
              ? isRefused(backend, modelOf(cell), TASKS[cell.task], METHODS[cell.method].layer)
              : trains(backend, cell, await directoryOf(cell)))
          } catch (error) {
            throw new Error(`${cell.family}, ${cell.task}: ${(error as Error).message}`, { cause: error })
          }
        }
      })
    }
  })
}

Deno.test("each cell of FEATURES.md holds on wasm", (t) =>
  withBackend({ threads: 1 }, (backend) => check(t, backend, cells)))

onWebgpu(
  "the cells of FEATURES.md that name WebGPU hold on it",
  (t) => withWebgpu((backend) => check(t, backend, cells.filter(({ says }) => says.includes("WebGPU")))),
)

Deno.test("families refuse the tasks that they have no table for", () =>
  withBackend({ threads: 1 }, async (backend) => {
    for (const { models, tasks } of GROUPS) {
      const others = Object.keys(TASKS).filter((task) => !tasks.includes(task))
      for (const task of others) for (const model of Object.values(models)) await isRefused(backend, model, TASKS[task])
    }
  }))
