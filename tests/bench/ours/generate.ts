/**
 * `generate.ts rows model [checkout]`: text of a Llama in a directory, on the wasm backend. A step of 1 row is 16 new tokens after the next of 20 prompts of 5 to 24 tokens, one of more rows 64 new tokens after each of that many
 * prompts at once, `1x64` the same of one row. One of `decode` is {@link TOKENS} new tokens as peers/llama_cpp_decode.py counts
 * them; its third argument is what the model is kept in, f32, stored or Q4_1. With the path of another checkout that one's code is measured; Deno then
 * needs its `--config` too. Answers each step with its milliseconds and, in the loss's stead, a number made of the tokens.
 * @module
 */
import { serve } from "../serve.ts"
import { config } from "../smollm2.ts"

const [rows, directory, given] = Deno.args
const own = decodeURIComponent(new URL("../../../", import.meta.url).pathname)
const checkout = rows === "decode" ? own : given ?? own
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

/** New tokens of a step of `decode`, the first of them outside of the time; the peer's prompt. */
const TOKENS = 64
const PROMPT = Int32Array.from({ length: 16 }, (_, i) => 1 + 7919 * (i + 1) % 40000)

const weights = rows !== "decode" || given === "stored"
  ? "stored"
  : given === "f32"
  ? given
  : (await import("../../../kernels/encodings/q4_1.ts")).Q4_1

const numberOf = (ids: Iterable<number>) => [...ids].reduce((sum, id, at) => sum + id * (at % 7 + 1), 0)

const program = Effect.gen(function* () {
  const model = yield* Model.load(directory, { task: Task.causalLM(), weights, frozen: true })
  if (rows === "decode") {
    const engine = yield* Model.engine(model)
    const decode = async () => {
      engine.insert(PROMPT, { maxNewTokens: TOKENS })
      const made: Array<number> = []
      const next = async () => made.push(...Array.from((await engine.next()).values(), ({ token }) => token))
      await next()
      const start = performance.now()
      while (made.length < TOKENS) await next()
      return { loss: numberOf(made), milliseconds: performance.now() - start }
    }
    return yield* Effect.promise(() => serve(decode))
  }
  let steps = 0
  const texts = () =>
    rows === "1"
      ? Effect.map(Model.generate(model, prompt(steps++ % 20), { maxNewTokens: 16 }), (ids) => [ids])
      : Model.generate(model, Array.from({ length: parseInt(rows) }, (_, i) => prompt(i)), { maxNewTokens: 64 })
  const step = Effect.map(
    Effect.suspend(texts),
    (made) => numberOf(made.flatMap((ids) => [...ids])),
  )
  yield* Effect.promise(() => serve(() => Effect.runPromise(step)))
})

const all = Llama.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Wasm.layer({ threads: 2 }), Plugins.layer, Families.layer, NodeFileSystem.layer)),
)
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
