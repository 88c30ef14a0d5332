/**
 * Runs one conformance case on Espalier.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Backend, Slot } from "../../core/backend/backend.ts"
import type { BackendError } from "../../core/backend/backend_error.ts"
import type { Contribution, NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import { layer as pluginsLayer } from "../../core/contracts/plugins.ts"
import type { Batch } from "../../core/data/batches/batches.ts"
import { MASKED } from "../../core/data/encode.ts"
import { layer as familiesLayer } from "../../core/model/load/families.ts"
import { load, loadAdapters, type LoadOptions, type Model, saveAdapters, saveCheckpoint } from "../../core/model/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import { equal, where } from "../../core/tensor/ops.ts"
import { embed } from "../../core/training/embed.ts"
import { ready } from "../../core/backend/ready.ts"
import { batchData, batchInputs } from "../../core/data/batches/batch_inputs.ts"
import { makeSession } from "../../core/training/session.ts"
import { modelOf } from "../../core/training/step/task_named.ts"
import { families } from "../../plugins/families/mod.ts"
import { besideOf, registered } from "./beside.ts"
import type { NamedTensor } from "./tensors.ts"
import type { Case } from "./cases.ts"
import type { Tensors, Training } from "./compare.ts"
import { methodOf } from "./methods.ts"

/** What a run gives to be compared. Logits at unpadded positions only, rows one after the other (or one row of labels each). */
export interface CaseResult {
  /** Of the base model alone. */
  readonly base?: NamedTensor["data"]
  /** With the adapter of `adapter/`, before training. */
  readonly before?: NamedTensor["data"]
  /** After training, from the model in memory. */
  readonly after?: NamedTensor["data"]
  /** Of a fresh model with what the reference saved in `final/`. */
  readonly theirs?: NamedTensor["data"]
  /** Of kind `train`; tensors named as saved. */
  readonly training?: Training
  /** Of kind `init`: a new adapter's tensors, named as saved. */
  readonly adapter?: Tensors
  /** Of kind `train`: the directory with the adapter (or, for full fine-tuning, the model) saved after training. */
  readonly saved?: string
}

/**
 * Runs a case.
 * @param one the case, its options included (a control differs from its case in these alone)
 * @param directory what reference.py wrote for it: `model/`, `batches.json`, `adapter/`, `final/`
 * @param output an empty directory for what is saved
 * @param backend what computes
 */
export type RunCase = (
  one: Case,
  directory: string,
  output: string,
  backend: Layer.Layer<Backend, BackendError>,
) => Promise<CaseResult>

/** A micro-batch of batches.json. */
interface StoredBatch {
  readonly inputIds: ReadonlyArray<ReadonlyArray<number>>
  readonly attentionMask: ReadonlyArray<ReadonlyArray<number>>
  readonly labels: ReadonlyArray<number> | ReadonlyArray<ReadonlyArray<number>>
}

const LABELS = ["LABEL_0", "LABEL_1", "LABEL_2"]
const TASKS: Readonly<Record<Case["model"]["head"], Task>> = {
  causal: Task.causalLM(),
  classification: Task.classification(LABELS),
  tokens: Task.tokenClassification(LABELS),
  masked: Task.maskedLM(),
  seq2seq: Task.seq2seq(),
}

/** The tasks that a case's model is loaded with. */
export const tasksOf = ({ model: { head }, tasks }: Case): LoadOptions =>
  tasks === undefined ? { task: TASKS[head] } : { tasks: Object.fromEntries(tasks.map((name) => [name, TASKS[head]])) }

const readBatches = (one: Case, directory: string): ReadonlyArray<Batch> => {
  const stored: ReadonlyArray<StoredBatch> = JSON.parse(Deno.readTextFileSync(`${directory}/batches.json`))
  return stored.map(({ inputIds, attentionMask, labels }, i) => {
    const rows = inputIds.length
    // Transformers shifts labels itself; here they are the tokens that follow.
    const targets = one.labels === "class" ? Int32Array.from(labels as ReadonlyArray<number>) : Int32Array.from(
      (labels as ReadonlyArray<ReadonlyArray<number>>).flatMap((row) =>
        one.model.head === "causal" ? [...row.slice(1), MASKED] : row
      ),
    )
    return {
      task: one.tasks?.[i] ?? "default",
      shape: [rows, inputIds[0].length],
      tokens: Int32Array.from(inputIds.flat()),
      lengths: Int32Array.from(attentionMask, (row) => row.reduce((sum, bit) => sum + bit, 0)),
      exampleWeight: new Float32Array(rows).fill(1),
      rows: Int32Array.from({ length: rows }, (_, row) => row),
      fields: { labels: targets },
      ...(one.labels === "target" ? { targetLength: targets.length / rows } : {}),
    }
  })
}

const RECORDER = "conformance/first-gradients"
/** Keeps the first step's gradients, as they reach clipping and the optimizer, in its state. */
const recorder: Contribution = {
  id: RECORDER,
  gradients: {
    total: {
      init: (parameters) => Object.fromEntries(parameters.map(({ key, shape }) => [key, { shape }])),
      update: (gradients, state, { step }) => [
        gradients,
        Object.fromEntries([...gradients].map(([key, gradient]) => [key, where(equal(step, 1), gradient, state[key])])),
      ],
    },
  },
}

/** Logits of all batches where there is no padding. */
const logitsOf = async (whole: Model, batches: ReadonlyArray<Batch>, methods = true): Promise<Float32Array> => {
  const parts: Array<Float32Array> = []
  for (const batch of batches) {
    const model = modelOf(whole, batch.task)
    const { shape: [rows, length], targetLength } = batch
    const inputs = batchInputs(batch.task, rows, length, model.task, targetLength)
    const { logits } = model.forward(inputs, { training: false, methods })
    const program = await ready(model.backend, { name: "logits", outputs: { logits }, updates: [] })
    const values = (await program.run(batchData(batch))).logits as Float32Array
    program.dispose()
    const width = values.length / rows
    const perToken = width / (targetLength ?? length)
    if (targetLength !== undefined) {
      // The target's own places.
      const places = [...batch.fields.labels].flatMap((label, at) => label === MASKED ? [] : [at])
      parts.push(...places.map((at) => values.slice(at * perToken, (at + 1) * perToken)))
      continue
    }
    for (let row = 0; row < rows; row++) {
      parts.push(
        values.slice(
          row * width,
          row * width + (model.task.head.kind !== "sequence" ? batch.lengths[row] * perToken : width),
        ),
      )
    }
  }
  return Float32Array.from(parts.flatMap((part) => [...part]))
}

/** Copies of tensors from slots, by saved name. */
const read = async (
  one: Case,
  model: Model,
  slotOf: (parameter: Parameter & { readonly slot: Slot }) => Slot,
): Promise<Tensors> => {
  const values: Array<NamedValues> = []
  for (const parameter of model.parameters) {
    if (!parameter.trainable) continue
    values.push({ parameter, data: (await model.backend.read(slotOf(parameter)) as Float32Array).slice() })
  }
  const method = methodOf(one)
  const isOfTasks = ({ parameter: { owner } }: NamedValues) => owner.startsWith("multitask/")
  if (method !== undefined) {
    const ofTasks = values.filter(isOfTasks).map(({ parameter: { name, shape }, data }) =>
      [name, { shape, data }] as const
    )
    return new Map([...method.named(values.filter((own) => !isOfTasks(own))), ...ofTasks])
  }
  const transposed = new Set(model.modules.filter(({ transposed }) => transposed).map(({ path }) => path))
  return new Map(
    values.map((
      { parameter: { key, module, name, shape }, data },
    ) => [key, name === "weight" && transposed.has(module) ? turned(shape, data) : { shape, data }]),
  )
}

/** A matrix with its axes swapped. */
const turned = ([rows, columns]: ReadonlyArray<number>, data: Float32Array): NamedTensor => ({
  shape: [columns, rows],
  data: data.map((_, i) => data[i % rows * columns + Math.floor(i / rows)]),
})

const train = async (one: Case, model: Model, batches: ReadonlyArray<Batch>): Promise<Training> => {
  const { steps, learningRate, weightDecay, maxGradNorm = 0 } = one.training
  const examples = one.private === undefined ? {} : { examplesPerStep: one.private.planned }
  const session = await makeSession(model, { weightDecay, maxGradNorm, seed: 0, ...examples })
  try {
    const initial = await read(one, model, ({ slot }) => slot)
    const results = []
    for (let step = 0; step < steps; step++) results.push(...await session.post({ batches }, learningRate))
    const losses = [...results, ...await session.drain()].map(({ loss }) => loss)
    const recorded = new Map(session.slots.map(({ name, slot }) => [name, slot]))
    const firstGradients = await read(one, model, ({ key }) => recorded.get(`transform/${RECORDER}/total/${key}`)!)
    return { losses, firstGradients, initial, trained: await read(one, model, ({ slot }) => slot) }
  } finally {
    await session.dispose()
  }
}

const recording = registered(recorder)
const services = Layer.mergeAll(pluginsLayer, familiesLayer, NodeFileSystem.layer)
type Platform = Backend | Layer.Success<typeof services>

/** Loads a model with the plugins given, and uses it while its memory lasts. */
export const withModel = <A, E, R>(
  backend: Layer.Layer<Backend, BackendError>,
  directory: string,
  tasks: LoadOptions,
  plugins: Layer.Layer<never, unknown, Platform>,
  use: (model: Model) => Effect.Effect<A, E, R>,
): Promise<A> => {
  const all = Layer.mergeAll(plugins, families).pipe(Layer.provideMerge(Layer.merge(backend, services)))
  const program = Effect.flatMap(load(directory, tasks), use)
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)) as Effect.Effect<A, unknown>)
}
/** A promise's value as an effect. */
export const promise = <A>(make: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: make, catch: (error) => error })
const none = Layer.empty as Layer.Layer<never>

/** Runs a case on Espalier. */
export const runCase: RunCase = async (one, directory, output, backend) => {
  const task = tasksOf(one)
  if (one.kind === "embeddings") {
    const embeddings = await withModel(
      backend,
      `${directory}/model`,
      task,
      none,
      (model) => embed(model, one.texts!, { normalize: true }),
    )
    return { base: Float32Array.from(embeddings.flatMap((row) => [...row])) }
  }
  const batches = readBatches(one, directory)
  const base = `${directory}/model`
  const method = methodOf(one)
  const adapter = method?.layer ?? none
  switch (one.kind) {
    case "logits":
      return { base: await withModel(backend, base, task, none, (model) => promise(() => logitsOf(model, batches))) }
    case "init":
      return {
        adapter: await withModel(
          backend,
          base,
          task,
          adapter,
          (model) => promise(() => read(one, model, ({ slot }) => slot)),
        ),
      }
    case "train": {
      const saved = `${output}/saved`
      const initial = `${directory}/adapter`
      // Of several tasks each has a folder here, and the reference one for all.
      const first = one.tasks === undefined ? undefined : method?.fromFiles(initial)
      const own = await withModel(
        backend,
        base,
        task,
        Layer.mergeAll(first ?? adapter, besideOf(one), recording),
        (model) =>
          Effect.gen(function* () {
            if (method !== undefined && first === undefined) yield* loadAdapters(model, initial)
            const logits = (methods?: boolean) => promise(() => logitsOf(model, batches, methods))
            const baseLogits = yield* logits(false)
            const before = yield* logits()
            const training = yield* promise(() => train(one, model, batches))
            const after = yield* logits()
            yield* method !== undefined ? saveAdapters(model, saved) : saveCheckpoint(model, saved)
            return { base: baseLogits, before, training, after, saved: one.tasks ? `${saved}/${one.tasks[0]}` : saved }
          }),
      )
      const final = `${directory}/final`
      return {
        ...own,
        theirs: await withModel(
          backend,
          method === undefined ? final : base,
          task,
          method?.fromFiles(final) ?? none,
          (model) => promise(() => logitsOf(model, batches)),
        ),
      }
    }
  }
}
