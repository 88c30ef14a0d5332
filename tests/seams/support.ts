/**
 * Runs the trainer's step programs on a tiny Llama, beside the reference.
 * @module
 */
import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Backend, type BackendService, type RunData } from "../../core/backend/backend.ts"
import { layer as wasmLayer } from "../../core/backend/wasm/backend.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { layer as pluginsLayer, type Plugins } from "../../core/contracts/plugins.ts"
import type { Batch } from "../../core/data/batches/batches.ts"
import { interpret } from "../../core/graph/interpret.ts"
import type { Program } from "../../core/graph/program.ts"
import { layer as familiesLayer } from "../../core/model/load/families.ts"
import { initialize, type Model } from "../../core/model/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import { adamW } from "../../core/training/optimizers/adamw.ts"
import { makeSession, type StepResult } from "../../core/training/session.ts"
import { sgd } from "../../core/training/optimizers/sgd.ts"
import * as Llama from "../../plugins/llama/mod.ts"
import * as Lora from "../../plugins/lora/mod.ts"
import { memoryBackend } from "../support/memory_backend.ts"
import { LORA_SCALE, referenceRun, type ReferenceStep, type Row, type Rules } from "./reference.ts"
import * as Bottleneck from "./plugins/bottleneck.ts"
import * as DpSgd from "./plugins/dp_sgd.ts"
import * as PcGrad from "./plugins/pcgrad.ts"
import * as Prefix from "./plugins/prefix.ts"

/** The model. */
export const config = {
  model_type: "llama",
  vocab_size: 23,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  initializer_range: 0.3,
  tie_word_embeddings: true,
}

/** A layer of any plugin. */
export type Method = Layer.Layer<never, PluginError, Plugins>

/** The methods, each by the name that the tests use; what they bring starts with gradients everywhere. */
export const methods: Readonly<Record<string, Method>> = {
  dp: DpSgd.layer({ maxGradNorm: 6 }),
  pcgrad: PcGrad.layer,
  prefix: Prefix.layer({ length: 3 }),
  bottleneck: Bottleneck.layer({ block: "layers.1", width: 4 }),
  lora: Lora.layer({ r: 2, loraAlpha: 2 * LORA_SCALE, initLoraWeights: false }),
}

/** A micro-batch: rows of a task, then `empty` rows without an example. */
export interface MicroRows {
  readonly task: string
  readonly rows: ReadonlyArray<Row>
  readonly empty?: number
}

/** Rows of two to seven tokens with some labels masked; labels are the next tokens, or all the same. */
export function rowsOf(seed: number, count: number, label?: number): ReadonlyArray<Row> {
  return Array.from({ length: count }, (_, i) => {
    const number = (at: number) => (seed * 7 + i * 5 + at * at * 3 + at * (i + 2)) % config.vocab_size
    const tokens = Array.from({ length: 2 + (seed + i * 3) % 6 }, (_, at) => number(at))
    return { tokens, labels: tokens.map((_, at) => at > 0 && (at + i) % 3 === 0 ? -100 : label ?? number(at + 1)) }
  })
}

function batchOf({ task, rows, empty = 0 }: MicroRows): Batch {
  const length = Math.max(...rows.map(({ tokens }) => tokens.length)) + 1
  const size = rows.length + empty
  const tokens = new Int32Array(size * length)
  const targets = new Int32Array(size * length).fill(-100)
  rows.forEach((row, i) => {
    tokens.set(row.tokens, i * length)
    targets.set(row.labels, i * length)
  })
  const each = <A>(own: (row: Row) => A, none: A) => [...rows.map(own), ...Array.from({ length: empty }, () => none)]
  return {
    task,
    shape: [size, length],
    tokens,
    fields: { labels: targets },
    lengths: Int32Array.from(each((row) => row.tokens.length, 1)),
    exampleWeight: Float32Array.from(each(() => 1, 0)),
    rows: Int32Array.from(each(() => 0, -1)),
  }
}

/** A backend that computes in float64 and hands float64 out; it keeps the programs that it was given. */
export function exactLayer(programs: Array<Program> = []): Layer.Layer<Backend> {
  const memory = memoryBackend()
  const exact: BackendService = {
    ...memory,
    read: ({ id }) => Promise.resolve(memory.slots.get(id)!.slice() as unknown as Float32Array),
    compile: (program) => {
      programs.push(program)
      const run = (inputs: RunData) => Promise.resolve(interpret(program, memory.slots, inputs))
      return Promise.resolve({ run: run as never, temporaryBytes: 0, dispose: () => {} })
    },
  }
  return Layer.succeed(Backend, exact)
}

/** Runs an effect with plugins and a backend. */
export function provided<A, E, R>(
  effect: Effect.Effect<A, E, R>,
  plugins: ReadonlyArray<Method>,
  backend: Layer.Layer<Backend, unknown>,
): Promise<A> {
  const base = Layer.mergeAll(backend, pluginsLayer, familiesLayer)
  const all = Layer.mergeAll(Llama.layer, ...plugins).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all)) as Effect.Effect<A>)
}

/** A training run to make. */
export interface TrainCase {
  readonly methods: ReadonlyArray<Method>
  readonly tasks: ReadonlyArray<string>
  /** Micro-batches of each step. */
  readonly steps: ReadonlyArray<ReadonlyArray<MicroRows>>
  readonly rules: Rules
}

/** What a run did. */
export interface Trained {
  /** Trained parameters by key, before and after. */
  readonly before: ReadonlyMap<string, Float64Array>
  readonly after: ReadonlyMap<string, Float64Array>
  readonly shapes: ReadonlyMap<string, ReadonlyArray<number>>
  /** All parameters as they were. */
  readonly all: ReadonlyMap<string, Float64Array>
  readonly results: ReadonlyArray<StepResult>
}

/** All or the trained parameters of a model, by key. */
export async function valuesOf(model: Model, trainable = false): Promise<Map<string, Float64Array>> {
  const values = new Map<string, Float64Array>()
  for (const parameter of model.parameters) {
    if (trainable && !parameter.trainable) continue
    values.set(parameter.key, Float64Array.from(await model.backend.read(parameter.slot)))
  }
  return values
}

/** Trains by the trainer's own step programs. */
export function train(
  { methods, tasks, steps, rules }: TrainCase,
  backend: Layer.Layer<Backend, unknown>,
): Promise<Trained> {
  const effect = Effect.gen(function* () {
    const model = yield* initialize(config, { task: Task.causalLM(), seed: 5 })
    return yield* Effect.promise(async (): Promise<Trained> => {
      const trained = model.parameters.filter(({ trainable }) => trainable)
      const session = await makeSession(model, {
        optimizer: rules.optimizer === "sgd" ? sgd() : adamW(),
        weightDecay: rules.weightDecay,
        maxGradNorm: rules.maxGradNorm,
        seed: 1,
        tasks,
        ...(rules.clip?.expectedBatchSize === undefined ? {} : { examplesPerStep: rules.clip.expectedBatchSize }),
      })
      const [all, before] = [await valuesOf(model), await valuesOf(model, true)]
      const results: Array<StepResult> = []
      for (const microBatches of steps) {
        results.push(...await session.post({ batches: microBatches.map(batchOf) }, rules.learningRate))
      }
      results.push(...await session.drain())
      const after = await valuesOf(model, true)
      await session.dispose()
      return { all, before, after, results, shapes: new Map(trained.map(({ key, shape }) => [key, shape])) }
    })
  })
  return provided(effect, methods, backend)
}

/** Relative L2 difference of two runs' changes, and of their losses. */
export function differences(run: Trained, expected: Trained): { readonly change: number; readonly loss: number } {
  let [off, size] = [0, 0]
  for (const [key, after] of expected.after) {
    after.forEach((value, i) => {
      off += (run.after.get(key)![i] - value) ** 2
      size += (value - expected.before.get(key)![i]) ** 2
    })
  }
  const losses = expected.results.map(({ loss }, i) => Math.abs(run.results[i].loss - loss) / Math.max(loss, 1e-30))
  return { change: Math.sqrt(off / size), loss: Math.max(...losses) }
}

/** The reference's run, from the same first values. */
export function reference(
  run: Trained,
  { steps }: TrainCase,
  rules: Rules,
): Trained & { readonly steps: ReadonlyArray<ReferenceStep> } {
  const parameters = new Map([...run.all].map(([key, values]) => [key, values.slice()]))
  const byTask = steps.map((microBatches) => {
    const tasks: Record<string, Array<Row>> = {}
    for (const { task, rows } of microBatches) (tasks[task] ??= []).push(...rows)
    return tasks
  })
  const found = referenceRun(config, parameters, run.shapes, byTask, rules)
  const after = new Map([...run.before.keys()].map((key) => [key, parameters.get(key)!]))
  return { ...run, after, results: found.map((step, i) => ({ ...step, step: i + 1, weight: 0 })), steps: found }
}

/** Relative L2 of all changes after the steps, and of each loss, in float64 (3e-15 was seen). */
export const EXACT = 1e-12
/** The same in f32 (3e-6 was seen). */
export const SINGLE = 2e-5

/**
 * A case must equal the reference in float64 and, in f32, on the wasm backend; and must not equal that of `control`:
 * rules that leave the method out.
 */
export async function equalsReference(
  own: TrainCase,
  control?: Rules,
): Promise<ReadonlyArray<ReferenceStep>> {
  const exact = await train(own, exactLayer())
  const expected = reference(exact, own, own.rules)
  const close = (run: Trained, tolerance: number, what: string) => {
    const found = differences(run, expected)
    assert(found.change < tolerance && found.loss < tolerance, `${what}: ${JSON.stringify(found)} over ${tolerance}`)
    run.results.forEach(({ gradientNorm }, i) => {
      const off = Math.abs(gradientNorm - expected.steps[i].gradientNorm)
      assert(off <= tolerance * Math.max(expected.steps[i].gradientNorm, 1e-30), `${what}: norm of step ${i + 1}`)
    })
  }
  close(exact, EXACT, "float64")
  close(await train(own, wasmLayer({ threads: 1 })), SINGLE, "wasm")
  if (control !== undefined) {
    const { change } = differences(exact, reference(exact, own, control))
    assert(change > 1e-2, `rules without the method give nearly the same: ${change}`)
  }
  return expected.steps
}
