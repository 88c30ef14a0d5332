/**
 * `generate.ts rows model [checkout]`: text of a Llama in a directory, on the wasm backend. A step of 1 row is 16 new tokens after the next of 20 prompts of 5 to 24 tokens, one of more rows 64 new tokens after each of that many
 * prompts at once, `1x64` the same of one row. With the path of another checkout that one's code is measured; Deno then
 * needs its `--config` too. Answers each step with its milliseconds and, in the loss's stead, a number made of the tokens.
 * @module
 */
import { serve } from "../serve.ts"
import { config } from "../smollm2.ts"

const [rows, directory, checkout = decodeURIComponent(new URL("../../../", import.meta.url).pathname)] = Deno.args
const load = (path: string) => import(`file://${checkout.replace(/\/?$/, "/")}${path}`)

const Effect: typeof import("effect/Effect") = await import("effect/Effect")
const Layer: typeof import("effect/Layer") = await import("effect/Layer")
const NodeFileSystem: typeof import("@effect/platform-node/NodeFileSystem") = await import(
  "@effect/platform-node/NodeFileSystem"
)
const { Model, Task, Plugins, Families }: typeof import("@espalier/espalier") = await load("mod.ts")
const Wasm: typeof import("../../../core/backend/wasm/backend.ts") = await load("core/backend/wasm/backend.ts")
const Llama: typeof import("../../../plugins/llama/mod.ts") = await load("plugins/llama/mod.ts")

/** Prompt `i`: its length goes up and down. */
const prompt = (i: number): Int32Array<ArrayBuffer> =>
  Int32Array.from({ length: 5 + 7 * i % 20 }, (_, at) => (1 + 7919 * (i + 1) * (at + 1)) % config.vocab_size)

const program = Effect.gen(function* () {
  const model = yield* Model.load(directory, { task: Task.causalLM() })
  let steps = 0
  const texts = () =>
    rows === "1"
      ? Effect.map(Model.generate(model, prompt(steps++ % 20), { maxNewTokens: 16 }), (ids) => [ids])
      : Model.generate(model, Array.from({ length: parseInt(rows) }, (_, i) => prompt(i)), { maxNewTokens: 64 })
  const step = Effect.map(
    Effect.suspend(texts),
    (made) => made.flatMap((ids) => [...ids]).reduce((sum, id, at) => sum + id * (at % 7 + 1), 0),
  )
  yield* Effect.promise(() => serve(() => Effect.runPromise(step)))
})

const all = Llama.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Wasm.layer({ threads: 2 }), Plugins.layer, Families.layer, NodeFileSystem.layer)),
)
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
