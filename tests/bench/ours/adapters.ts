/**
 * `adapters.ts model what`: texts through MiniLM with a bank of adapters. A step of `turn` is the next texts, each with the
 * next of all adapters; of `one`, all with the first. A step of `load` loads an adapter from its directory.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { Families, Model, Plugins, Task, Trainer } from "@espalier/espalier"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { adapterFiles, ADAPTERS, RANK, texts } from "../adapters.ts"
import { serve } from "../serve.ts"

const [directory, what] = Deno.args
const platform = Layer.mergeAll(Wasm.layer({ threads: 2 }), Plugins.layer, Families.layer, NodeFileSystem.layer)

const program = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const run = <A, E>(effect: Effect.Effect<A, E, never>) => Effect.runPromise(Effect.provide(effect, context))
  const base = yield* Model.load(directory, { task: Task.classification(["ham", "spam"]), frozen: true })
  const model = yield* Model.withAdapters(base, Lora.bank({ slots: texts.length, rank: RANK }))
  const { bank } = model
  if (what === "load") return yield* loading(bank, (effect) => run(Effect.provide(effect, NodeFileSystem.layer)))
  for (let i = 0; i < (what === "one" ? 1 : ADAPTERS); i++) yield* bank.load(`${i}`, adapterFiles(i))
  let next = 0
  const step = () =>
    Effect.map(
      Trainer.predict(model, texts, {
        adapters: texts.map(() => `${what === "one" ? 0 : next++ % ADAPTERS}`),
      }).pipe(Effect.provide(NodeFileSystem.layer)),
      (all) => all.reduce((sum, { probabilities = [] }) => sum + probabilities[1], 0),
    )
  yield* Effect.promise(() => serve(() => run(Effect.suspend(step))))
})

/** Loads an adapter of another name in each step. */
const loading = (
  bank: Model.AdapterBank,
  run: (effect: ReturnType<Model.AdapterBank["load"]>) => Promise<unknown>,
): Effect.Effect<void> =>
  Effect.promise(async () => {
    const directory = await Deno.makeTempDir()
    try {
      for (const [name, bytes] of Object.entries(adapterFiles(0))) await Deno.writeFile(`${directory}/${name}`, bytes)
      let count = 0
      await serve(async () => {
        const start = performance.now()
        await run(bank.load(`${count++}`, directory))
        // It is in the backend's memory when a row can run.
        const taken = bank.take([bank.find(`${count - 1}`)])!
        await taken.written
        taken.release()
        return { loss: 0, milliseconds: performance.now() - start }
      })
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  })

await Effect.runPromise(
  Effect.scoped(program).pipe(Effect.provide(Bert.layer.pipe(Layer.provideMerge(platform)))) as Effect.Effect<void>,
)
