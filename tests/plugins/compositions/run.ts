/**
 * Runs of compositions, on the CPU backend.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Layer from "effect/Layer"
import { Backend, type BackendService } from "../../../core/backend/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { initialize, load, loadAdapters, type Model, readParameters, saveCheckpoint } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { type Data, fromRows } from "../../../core/tasks/dataset/dataset.ts"
import { evaluate } from "../../../core/training/evaluate.ts"
import { fit } from "../../../core/training/fit.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Multitask from "../../../plugins/multitask/mod.ts"
import type { Base } from "../../support/model_layer.ts"
import { type Composition, type Part, PLUGINS, type TaskName } from "./draw.ts"

const WORDS = ["sun", "moon", "bread", "milk", "rain", "salt"]
const texts = Array.from({ length: 14 }, (_, i) => {
  const words = Array.from({ length: 2 + i * 5 % 4 }, (_, j) => WORDS[(i * 3 + j * (1 + i % 3)) % WORDS.length])
  return { words, text: `${words.join(" ")} ${i}`, grade: (i * 7 % 14) / 14 }
})
const numbers = { numbers: ["grade"] }

/** Rows of each task, the fewest of one: 9. */
export const DATA: Readonly<Record<TaskName, Data>> = {
  topic: fromRows(texts.map((row, i) => ({ ...row, label: "abc"[i % 3] })), { text: "text", label: "label" }, numbers),
  size: fromRows(
    texts.slice(5).map((row) => ({ ...row, score: row.words.length / 4 })),
    { text: "text", scores: ["score"] },
    numbers,
  ),
  tags: fromRows(
    texts.slice(2).map((row) => ({ ...row, tags: row.words.map((word) => word.length > 3 ? "long" : "short") })),
    { words: "words", tags: "tags" },
    numbers,
  ),
  marks: fromRows(
    texts.slice(1).map((row, i) => ({ ...row, labels: ["x", "y"].slice(0, 1 + i % 2) })),
    { text: "text", labels: "labels" },
    numbers,
  ),
  text: fromRows(texts.slice(3), { text: "text" }, numbers),
}
/** Tasks by name. */
export const TASKS: Readonly<Record<TaskName, Task>> = {
  topic: Task.classification(DATA.topic.labels),
  size: Task.regression(DATA.size.labels),
  tags: Task.tokenClassification(DATA.tags.labels),
  marks: Task.multiLabelClassification(DATA.marks.labels),
  text: Task.causalLM(),
}

const EMBEDDED = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
const SIZES = {
  vocab_size: 2048,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 40,
  initializer_range: 0.3,
}
const CONFIGS = {
  bert: { ...SIZES, model_type: "bert", hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0 },
  llama: { ...SIZES, model_type: "llama", num_key_value_heads: 1, attention_bias: true },
}

type Layers = Layer.Layer<never, never, Base>

function provided<A, E>(
  effect: Effect.Effect<A, E, Base>,
  backend: BackendService,
  layers: ReadonlyArray<Layers> = [],
) {
  const base = Layer.mergeAll(Layer.succeed(Backend, backend), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.mergeAll(Bert.layer, Llama.layer, ...layers).pipe(Layer.provideMerge(base))
  return Effect.runPromiseExit(Effect.provide(effect, all, { local: true }))
}

/** Writes the tiny models into a folder, with the tokenizer of the embedded one. */
export async function makeBases(backend: BackendService, folder: string): Promise<void> {
  for (const [name, config] of Object.entries(CONFIGS)) {
    const task = name === "bert" ? Task.maskedLM() : Task.causalLM()
    const made = Effect.scoped(
      Effect.flatMap(initialize(config, { task }), (model) => saveCheckpoint(model, `${folder}/${name}`)),
    )
    const exit = await provided(made, backend)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
      Deno.copyFileSync(`${EMBEDDED}/${file}`, `${folder}/${name}/${file}`)
    }
  }
}

const layerOf = ({ plugin, options, tasks }: Part): Layers => {
  const layer = PLUGINS[plugin](options as never) as unknown as Layers
  return tasks === undefined ? layer : Multitask.forTasks(tasks, layer) as Layers
}

/** What a run gave, or how it was refused. */
export type Outcome = {
  readonly losses: ReadonlyArray<number>
  readonly weights: ReadonlyArray<readonly [string, Float32Array]>
  readonly judged: ReadonlyArray<unknown>
} | { readonly refused: string; readonly error: unknown; readonly steps: number }

/** All of `crypto`'s random numbers from a seed, so that runs with secrets can be compared. */
export function withKnownSecrets<A>(body: () => Promise<A>): Promise<A> {
  const real = crypto.getRandomValues
  let state = 1
  crypto.getRandomValues = ((array: Uint32Array) => {
    for (let i = 0; i < array.length; i++) array[i] = state = Math.imul(state, 48271) >>> 0
    return array
  }) as typeof crypto.getRandomValues
  return body().finally(() => crypto.getRandomValues = real)
}

const tasksOf = (names: ReadonlyArray<TaskName>) =>
  names.length === 1
    ? { task: TASKS[names[0]] }
    : { tasks: Object.fromEntries(names.map((name) => [name, TASKS[name]])) }

/** Metrics and predictions of every task. */
const judge = (model: Model, names: ReadonlyArray<TaskName>) =>
  Effect.forEach(names, (name) => {
    const view = names.length === 1 ? model : model.view({ task: name })
    return Effect.map(evaluate(view, DATA[name], { maxLength: 16 }), ({ metrics, predictions }) => ({
      metrics,
      predictions,
    }))
  })

const valuesOf = (model: Model) =>
  Effect.map(
    readParameters(model, model.parameters),
    (all) => all.map(({ parameter: { key }, data }) => [key, data] as const),
  )

async function outcome(
  effect: (count: () => void) => Effect.Effect<Exclude<Outcome, { readonly refused: string }>, unknown, Base>,
  backend: BackendService,
  layers: ReadonlyArray<Layers>,
): Promise<Outcome> {
  let steps = 0
  const exit = await provided(effect(() => steps++), backend, layers)
  if (Exit.isSuccess(exit)) return exit.value
  const error = Cause.squash(exit.cause)
  return { refused: `${(error as { _tag?: string })._tag}: ${(error as Error).message}`, error, steps }
}

/** Trains with the layers in the given order and saves into a folder. */
export const train = (
  { base, weights, tasks, training }: Composition,
  parts: ReadonlyArray<Part>,
  { backend, bases, folder }: { readonly backend: BackendService; readonly bases: string; readonly folder: string },
): Promise<Outcome> =>
  withKnownSecrets(() =>
    outcome(
      (count) =>
        Effect.scoped(Effect.gen(function* () {
          const directory = base === "espalier-1m" ? EMBEDDED : `${bases}/${base}`
          const model = yield* load(directory, { ...tasksOf(tasks), weights, seed: 3 })
          const rows = tasks.length === 1 ? DATA[tasks[0]] : Object.fromEntries(tasks.map((name) => [name, DATA[name]]))
          const losses: number[] = []
          const run = yield* fit(model, { train: rows }, {
            ...training,
            seed: 5,
            observe: (event) =>
              Effect.sync(() => {
                if (event.type !== "step") return
                count()
                losses.push(event.loss)
              }),
          })
          yield* run.save(folder)
          return { losses, weights: yield* valuesOf(model), judged: yield* judge(model, tasks) }
        })),
      backend,
      parts.map(layerOf),
    )
  )

/** Loads what was saved, with other seeds and orders, and judges it. */
export const reload = (
  { base, weights, tasks }: Composition,
  parts: ReadonlyArray<Part>,
  { backend, bases, folder }: { readonly backend: BackendService; readonly bases: string; readonly folder: string },
): Promise<Outcome> =>
  outcome(
    () =>
      Effect.scoped(Effect.gen(function* () {
        const directory = base === "espalier-1m" ? EMBEDDED : `${bases}/${base}`
        const whole = !parts.some(({ plugin }) => ["lora", "adapters", "compose", "prefix", "prompt"].includes(plugin))
        const model = yield* load(whole ? folder : directory, {
          ...tasksOf(tasks),
          weights: whole ? "f32" : weights,
          seed: 9,
        })
        if (!whole) yield* loadAdapters(model, folder)
        return { losses: [], weights: yield* valuesOf(model), judged: yield* judge(model, tasks) }
      })),
    backend,
    parts.map(layerOf),
  )
