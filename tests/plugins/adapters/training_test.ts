import { assert, assertAlmostEquals, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer, Plugins } from "../../../core/contracts/plugins.ts"
import type { Batch } from "../../../core/data/batches/batches.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { load, loadAdapters, type Model, readParameters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { makeSession } from "../../../core/training/session.ts"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { type Base, distance, fixture } from "../../support/model_layer.ts"

type Methods = ReturnType<typeof Adapters.compose>

/** Runs on the CPU backend: it is many steps. */
const run = <A, E>(
  effect: Effect.Effect<A, E, Base | Adapters.Adapters | Scope.Scope>,
  methods: Methods,
): Promise<A> => {
  const base = Layer.mergeAll(Wasm.layer({ threads: 1 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.mergeAll(methods, Bert.layer, Llama.layer).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all)) as Effect.Effect<A, unknown>)
}

const bert = () =>
  load(fixture("bert/classification"), { task: Task.classification(["LABEL_0", "LABEL_1", "LABEL_2"]) })
const llama = () => load(fixture("llama/llama"), { task: Task.causalLM() })

/** Two rows of known labels, or of tokens that follow each other. */
const batchOf = (model: Model): Batch => {
  return {
    task: "default",
    shape: [2, 5],
    tokens: Int32Array.from([13, 9, 6, 29, 28, 9, 28, 26, 27, 0]),
    lengths: Int32Array.of(5, 4),
    exampleWeight: Float32Array.of(1, 1),
    rows: Int32Array.of(0, 1),
    fields: {
      labels: model.task.head.kind === "sequence"
        ? Int32Array.of(2, 0)
        : Int32Array.of(9, 6, 29, 28, -100, 28, 26, 27, -100, -100),
    },
  }
}

/** Losses of some steps with one batch. */
const train = async (model: Model, steps: number): Promise<ReadonlyArray<number>> => {
  const session = await makeSession(model, { maxGradNorm: 0, seed: 0 })
  try {
    const results = []
    for (let step = 0; step < steps; step++) results.push(...await session.post({ batches: [batchOf(model)] }, 1e-2))
    return [...results, ...await session.drain()].map(({ loss }) => loss)
  } finally {
    await session.dispose()
  }
}

/** Values of all parameters by key. */
const valuesOf = (model: Model) =>
  Effect.map(
    readParameters(model, model.parameters),
    (values) => new Map(values.map(({ parameter: { key }, data }) => [key, data.slice()])),
  )

for (const config of ["seq_bn", "double_seq_bn", "par_bn"] as const) {
  for (const [family, loading] of [["BERT", bert], ["Llama", llama]] as const) {
    Deno.test(`${config} trains on ${family}: adapters and head alone change`, () =>
      run(
        Effect.gen(function* () {
          const model = yield* loading()
          const before = yield* valuesOf(model)
          const losses = yield* Effect.promise(() => train(model, 30))
          assert(losses[29] < 0.9 * losses[0], `the loss went from ${losses[0]} to ${losses[29]}`)
          const after = yield* valuesOf(model)
          for (const { key, owner, module } of model.parameters) {
            const changed = distance(before.get(key)!, after.get(key)!) > 0
            assertEquals(changed, owner === "adapters/default" || module === "classifier", key)
          }
        }),
        Adapters.layer({ config, reductionFactor: 4 }),
      ))
  }
}

Deno.test("fuse: the fusion and the head alone train, and the loss holds the regularizer", async () => {
  const directory = await Deno.makeTempDir()
  try {
    for (const name of ["a", "b"]) {
      await run(
        Effect.gen(function* () {
          const model = yield* bert()
          yield* Effect.promise(() => train(model, 5))
          yield* saveAdapters(model, `${directory}/${name}`)
        }),
        Adapters.layer({ name, reductionFactor: name === "a" ? 4 : 8 }),
      )
    }
    const saved = ["a", "b"].map((name) => ({ directory: `${directory}/${name}/adapters/${name}` }))
    const first = (regularization: boolean) =>
      run(
        Effect.gen(function* () {
          const model = yield* bert()
          for (const { name, slot } of model.parameters) {
            if (!name.endsWith("value.weight")) continue
            const half = Float32Array.from({ length: 16 * 16 }, (_, i) => i % 17 === 0 ? 0.5 : 0)
            yield* Effect.promise(() => model.backend.write(slot, half))
          }
          const before = yield* valuesOf(model)
          const losses = yield* Effect.promise(() => train(model, 20))
          assert(losses[19] < losses[0], `the loss went from ${losses[0]} to ${losses[19]}`)
          const after = yield* valuesOf(model)
          for (const { key, name, module } of model.parameters) {
            const changed = distance(before.get(key)!, after.get(key)!) > 0
            // The key's bias adds the same to all scores.
            const trains = name.startsWith("a,b.") && !name.endsWith("key.bias")
            assertEquals(changed, trains || module === "classifier", key)
          }
          yield* saveAdapters(model, `${directory}/fused`)
          return losses[0]
        }),
        Adapters.compose(Adapters.fuse(saved, { regularization })),
      )
    // Two places, each 16 numbers that are off by a half.
    assertAlmostEquals(await first(true) - await first(false), 0.01 * 2 * 16 * 0.25, 1e-6)
    const [member, within] = ["a/adapters/a", "fused/adapters/default/a"].map((folder) =>
      Deno.readFileSync(`${directory}/${folder}/adapter.safetensors`)
    )
    assertEquals(within, member)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("two adapters stand one after the other, whatever the order of their layers", async () => {
  const [a, b]: ReadonlyArray<Adapters.AdapterOptions> = [{ name: "a" }, { name: "b", config: "double_seq_bn" }]
  const losses = (methods: Methods) =>
    run(Effect.flatMap(bert(), (model) => Effect.promise(() => train(model, 6))), methods)
  const one = await losses(Layer.mergeAll(Adapters.layer(a), Adapters.layer(b)))
  assertEquals(await losses(Layer.mergeAll(Adapters.layer(b), Adapters.layer(a))), one)
  const names = await run(
    Effect.gen(function* () {
      return [...(yield* (yield* Adapters.Adapters).adapters).keys()]
    }),
    Layer.mergeAll(Adapters.layer(b), Adapters.layer(a)),
  )
  assertEquals(names, ["a", "b"])
})

Deno.test("adapters and LoRA on one module, in one directory: both load again, and another pass gives the same", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const methods = Layer.mergeAll(
      Adapters.layer({ reductionFactor: 4 }),
      Adapters.compose(Adapters.average([{ name: "a" }, { name: "b" }]), { name: "mean" }),
      Lora.layer({ targetModules: ["output.dense"], initLoraWeights: false }),
    )
    const step = (saved: boolean) =>
      run(
        Effect.gen(function* () {
          const model = yield* bert()
          if (saved) yield* loadAdapters(model, directory)
          else {
            yield* Effect.promise(() => train(model, 3))
            yield* saveAdapters(model, directory)
          }
          const values = yield* valuesOf(model)
          return { values, losses: yield* Effect.promise(() => train(model, 2)) }
        }),
        methods,
      )
    const [first, again] = [await step(false), await step(true)]
    assertEquals(again.values, first.values)
    assertEquals(again.losses, first.losses)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("derivatives by example sum to those of the batch, with a fusion and its regularizer too", async () => {
  /** Makes the step take every example's derivative alone. */
  const apart = Layer.effectDiscard(
    Effect.flatMap(
      Effect.service(Plugins),
      (plugins) => plugins.register({ id: "apart", gradients: { example: (gradients) => gradients } }),
    ),
  )
  for (const loading of [bert, llama]) {
    const losses = (examples: boolean) => {
      const fused = Adapters.compose(Adapters.fuse([{ name: "a", trainable: true }, { name: "b", reductionFactor: 2 }]))
      const effect = Effect.flatMap(loading(), (model) => Effect.promise(() => train(model, 5)))
      return run(effect, examples ? Layer.merge(fused, apart) : fused)
    }
    const [alone, together] = [await losses(true), await losses(false)]
    assert(distance(alone, together) < 1e-5, `${alone} and ${together}`)
  }
})
