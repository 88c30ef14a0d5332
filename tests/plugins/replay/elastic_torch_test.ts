/**
 * Elastic weight consolidation beside torch and PEFT: the Fisher diagonal, the penalty's gradient and 10 steps of AdamW
 * from the same weights.
 * @module
 */
import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { ready } from "../../../core/backend/ready.ts"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../../core/backend/webgpu/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { type Batch, collate } from "../../../core/data/batches/batches.ts"
import type { Example } from "../../../core/data/encode.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { initialize, type Model, readParameters, writeParameters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import { startStates } from "../../../core/training/loop/start_states.ts"
import { makeSession, type Session } from "../../../core/training/session.ts"
import { prepared } from "../../../core/training/step/prepared.ts"
import { trainedParameters } from "../../../core/training/step/session_options.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { elasticPenalty } from "../../../plugins/replay/elastic.ts"
import { ELASTIC_ID, resolveElasticOptions } from "../../../plugins/replay/elastic_options.ts"
import * as Replay from "../../../plugins/replay/mod.ts"
import { onWebgpu } from "../../core/backend/webgpu/with_webgpu.ts"
import { fixture } from "../../support/model_layer.ts"

/** By the adapter's names. */
type Tensors = Readonly<Record<string, ReadonlyArray<number>>>
interface Run {
  readonly losses: ReadonlyArray<number>
  readonly change: Tensors
}
interface Fixture {
  readonly config: Readonly<Record<string, unknown>>
  readonly old: ReadonlyArray<ReadonlyArray<number>>
  readonly new: ReadonlyArray<ReadonlyArray<number>>
  readonly rate: number
  readonly weight: number
  readonly fisher: Tensors
  readonly pull: Tensors
  readonly runs: { readonly plain: Run; readonly elastic: Run }
}
const expected = JSON.parse(Deno.readTextFileSync(fixture("replay/elastic.json"))) as Fixture
const task = Task.causalLM()

const examplesOf = (rows: Fixture["old"]): ReadonlyArray<Example> =>
  rows.map((own, index) => (
    { tokens: Int32Array.from(own), fields: { labels: [...own.slice(1), -100] }, index, row: index }
  ))

function batchOf(rows: Fixture["old"]): Batch {
  const length = Math.max(...rows.map(({ length }) => length))
  return collate(examplesOf(rows), { task: "default", rows: Int32Array.from(rows.keys()), length }, task)
}

const nameOf = (key: string) => key.replace("lora/default:", "")

/** Values that need no file, as in make.py. */
const startOf = (model: Model) => {
  const fill = (isOwn: (owner: string) => boolean) =>
    model.parameters.filter(({ owner }) => isOwn(owner)).toSorted((a, b) => a.key < b.key ? -1 : 1).map(
      (parameter, index) => ({
        parameter,
        data: Float32Array.from({ length: sizeOf(parameter.shape) }, (_, i) => Math.sin(1 + index + 0.7 * i ** 2)),
      }),
    )
  return [...fill((owner) => owner === "base"), ...fill((owner) => owner !== "base")]
}

/** A session whose pass over the old rows is done, in batches of two. */
async function started(model: Model): Promise<Session> {
  const plan = { rows: {}, retained: ["old"], batchSize: 2, epochs: 1, packing: false, streamed: false }
  const validation = () => ({ rows: 0, ofTraining: 0 })
  const contributions = prepared({ seed: 1, contributions: model.contributions, plan: { ...plan, validation } })
  const session = await makeSession({ ...model, contributions }, { maxGradNorm: 0 })
  const old = { examples: examplesOf(expected.old), truncated: 0, longest: 0, found: [] }
  const retained = { old: { ...old, data: {} as never, vocabulary: {} as never } }
  const parameters = trainedParameters(model)
  await startStates({
    model,
    session,
    plan: { contributions, parameters, retained, taskOf: () => task, session: {}, evaluation: { padId: 0 } },
    batchSize: 2,
  })
  return session
}

const PREFIX = `transform/${ELASTIC_ID}/total/`

/** The penalty's gradient where every weight is `by` above its anchor. */
async function pulled(model: Model, session: Session, by: number): Promise<Tensors> {
  const parameters = trainedParameters(model)
  const states = session.slots.filter(({ name }) => name.startsWith(PREFIX))
  const [gradients] = elasticPenalty(resolveElasticOptions({ lambda: expected.weight })).update(
    new Map(parameters.map(({ key, shape }) => [key, ops.full(0, shape)])),
    Object.fromEntries(states.map(({ name, slot }) => [name.slice(PREFIX.length), ops.slot(slot)])),
    {
      step: ops.full(1, [], "i32"),
      key: [ops.full(0, [], "i32"), ops.full(0, [], "i32")],
      parameters: new Map(parameters.map(({ key, tensor }) => [key, ops.add(tensor, by)])),
    },
  )
  const outputs = Object.fromEntries([...gradients].map(([key, gradient]) => [nameOf(key), gradient]))
  const program = await ready(model.backend, { name: "pull", outputs, updates: [] })
  const found = await program.run({})
  program.dispose()
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, Array.from(values)]))
}

/** What make.py finds, here. */
const found = (lambda: number, backend: ReturnType<typeof wasm> | ReturnType<typeof webgpu>) => {
  const effect = Effect.gen(function* () {
    const model = yield* initialize(expected.config, { task, seed: 1 })
    yield* writeParameters(model, startOf(model))
    const before = yield* readParameters(model)
    const own = yield* Effect.promise(async () => {
      const session = await started(model)
      const { values } = await session.snapshot()
      const fisher = Object.fromEntries(
        Object.entries(values).flatMap(([name, data]) =>
          name.startsWith(PREFIX) && name.endsWith("/fisher")
            ? [[nameOf(name.slice(PREFIX.length, -"/fisher".length)), Array.from(data)]]
            : []
        ),
      )
      const pull = await pulled(model, session, 0.05)
      const batches = [batchOf(expected.new)]
      const results = []
      for (let step = 0; step < 10; step++) results.push(...await session.post({ batches }, expected.rate))
      results.push(...await session.drain())
      await session.dispose()
      return { fisher, pull, losses: results.map(({ loss }) => loss) }
    })
    const after = new Map((yield* readParameters(model)).map(({ parameter: { key }, data }) => [key, data]))
    const change = Object.fromEntries(
      before.filter(({ parameter }) => parameter.owner !== "base").map(({ parameter: { key }, data }) =>
        [nameOf(key), Array.from(after.get(key)!, (value, i) => value - data[i])] as const
      ),
    )
    return { ...own, change }
  })
  const services = Layer.mergeAll(backend, pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const lora = Lora.layer({ r: 2, loraAlpha: 4, targetModules: ["q_proj", "v_proj", "down_proj"] })
  const plugins = Layer.mergeAll(Llama.layer, lora, Replay.elasticWeights({ lambda })).pipe(
    Layer.provideMerge(services),
  )
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(plugins)))
}

const norm = (values: ReadonlyArray<number>) => Math.hypot(...values)

/** Greatest relative L2 difference of a tensor. */
const offOf = (given: Tensors, wanted: Tensors) =>
  Math.max(
    ...Object.entries(wanted).map(([name, own]) =>
      norm(own.map((value, i) => value - (given[name]?.[i] ?? NaN))) / norm(own)
    ),
  )

const lossesOff = (given: ReadonlyArray<number>, wanted: ReadonlyArray<number>) =>
  Math.max(...wanted.map((loss, i) => Math.abs(given[i] - loss) / Math.abs(loss)))

for (
  const { name, layer, test } of [
    { name: "wasm", layer: wasm({ threads: 1 }), test: Deno.test },
    { name: "webgpu", layer: webgpu(), test: onWebgpu },
  ]
) {
  test(`${name}: Fisher diagonal, penalty and 10 steps are torch's`, async () => {
    const { plain, elastic } = expected.runs
    const own = await found(expected.weight, layer)
    const off = {
      fisher: offOf(own.fisher, expected.fisher),
      pull: offOf(own.pull, expected.pull),
      losses: lossesOff(own.losses, elastic.losses),
      change: offOf(own.change, elastic.change),
    }
    assert(Math.max(...Object.values(off)) < 1e-5, JSON.stringify(off))
    // The run without the penalty must not pass.
    const other = [lossesOff(own.losses, plain.losses), offOf(own.change, plain.change)]
    assert(other[0] > 1e-3 && other[1] > 0.1, `${other}`)
    const free = await found(0, layer)
    assert(lossesOff(free.losses, plain.losses) < 1e-5 && offOf(free.change, plain.change) < 1e-5)
  })
}
