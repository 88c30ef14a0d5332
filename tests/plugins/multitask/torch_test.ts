/**
 * PCGrad and uncertainty beside torch: 20 steps of AdamW from the same weights.
 * @module
 */
import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../../core/backend/webgpu/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { type Batch, collate } from "../../../core/data/batches/batches.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { initialize, type Model, readParameters, writeParameters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import { makeSession } from "../../../core/training/session.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Multitask from "../../../plugins/multitask/mod.ts"
import { onWebgpu } from "../../core/backend/webgpu/with_webgpu.ts"
import { fixture } from "../../support/model_layer.ts"

interface Run {
  readonly losses: ReadonlyArray<number>
  readonly conflicts: number
  readonly change: Readonly<Record<string, ReadonlyArray<number>>>
}
type Variant = "plain" | "pcgrad" | "uncertainty" | "both"
interface Fixture {
  readonly config: Readonly<Record<string, unknown>>
  readonly tokens: Readonly<Record<Name, ReadonlyArray<ReadonlyArray<number>>>>
  readonly labels: Readonly<Record<Name, ReadonlyArray<number>>>
  readonly rate: number
  readonly runs: Readonly<Record<Variant, Run>>
}
type Name = keyof typeof tasks
const tasks = { topic: Task.classification(["a", "b", "c"]), size: Task.regression() }
const { config, tokens, labels, rate, runs } = JSON.parse(
  Deno.readTextFileSync(fixture("multitask/runs.json")),
) as Fixture

function batchOf(task: Name): Batch {
  const examples = tokens[task].map((own, index) => (
    { tokens: Int32Array.from(own), fields: { labels: [labels[task][index]] }, index, row: index }
  ))
  const length = Math.max(...tokens[task].map(({ length }) => length))
  return collate(examples, { task, rows: Int32Array.from(examples.keys()), length }, tasks[task])
}

/** Values that need no file, as in make.py. */
const startOf = (model: Model) =>
  model.parameters.filter(({ owner }) => owner === "base").toSorted((a, b) => a.key < b.key ? -1 : 1).map(
    (parameter, index) => ({
      parameter,
      data: Float32Array.from({ length: sizeOf(parameter.shape) }, (_, i) => 0.4 * Math.sin(1 + index + 0.7 * i)),
    }),
  )

const nameOf = (key: string) => key.replace("multitask/default:objective.", "")

/** The same steps here. */
const trained = (options: Multitask.MultitaskOptions, backend: ReturnType<typeof wasm> | ReturnType<typeof webgpu>) => {
  const effect = Effect.gen(function* () {
    const model = yield* initialize(config, { tasks, seed: 1 })
    yield* writeParameters(model, startOf(model))
    const before = yield* readParameters(model)
    const losses = yield* Effect.promise(async () => {
      const session = await makeSession(model, { maxGradNorm: 0 })
      const batches = [batchOf("topic"), batchOf("size")]
      const results = []
      for (let step = 0; step < 20; step++) results.push(...await session.post({ batches }, rate))
      results.push(...await session.drain())
      await session.dispose()
      return results.map(({ loss }) => loss)
    })
    const after = new Map((yield* readParameters(model)).map(({ parameter: { key }, data }) => [key, data]))
    const change = before.map(({ parameter: { key }, data }) =>
      [nameOf(key), Array.from(after.get(key)!, (value, i) => value - data[i])] as const
    )
    return { losses, change: new Map(change) }
  })
  const services = Layer.mergeAll(backend, pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const plugins = Layer.mergeAll(Llama.layer, Multitask.layer(options)).pipe(Layer.provideMerge(services))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(plugins)))
}

const norm = (values: ReadonlyArray<number>) => Math.hypot(...values)

/** Greatest relative difference of losses, and of a tensor's change. */
function differences(found: Awaited<ReturnType<typeof trained>>, expected: Run) {
  const loss = Math.max(...expected.losses.map((loss, i) => Math.abs(found.losses[i] - loss) / Math.abs(loss)))
  const change = Object.entries(expected.change).map(([name, own]) =>
    norm(own.map((value, i) => value - (found.change.get(name)?.[i] ?? NaN))) / norm(own)
  )
  return { loss, change: Math.max(...change) }
}

const variants: Readonly<Record<Variant, Multitask.MultitaskOptions>> = {
  plain: {},
  pcgrad: { gradientSurgery: "pcgrad" },
  uncertainty: { lossWeights: "uncertainty" },
  both: { gradientSurgery: "pcgrad", lossWeights: "uncertainty" },
}

for (
  const { name, layer, test } of [
    { name: "wasm", layer: wasm({ threads: 1 }), test: Deno.test },
    { name: "webgpu", layer: webgpu(), test: onWebgpu },
  ]
) {
  for (const [variant, options] of Object.entries(variants) as ReadonlyArray<[Variant, Multitask.MultitaskOptions]>) {
    test(`${name}: 20 steps are torch's: ${variant}`, async () => {
      const found = await trained(options, layer)
      const { loss, change } = differences(found, runs[variant])
      assert(loss < 1e-5 && change < 1e-3, `losses are off by ${loss}, changes by ${change}`)
      // Another variant's run must not pass.
      for (const other of Object.keys(variants).filter((other) => other !== variant) as ReadonlyArray<Variant>) {
        const off = differences(found, runs[other])
        assert(!(off.loss < 1e-4 && off.change < 1e-2), `it is also ${other}: ${JSON.stringify(off)}`)
      }
    })
  }
}
