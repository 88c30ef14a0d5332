/**
 * `serving.ts rows model weights`: an engine of a Llama in a directory or a GGUF file, on the wasm backend, its weights in f32,
 * as stored or in Q4_1. A step is {@link TOKENS} new tokens of so many rows, as peers/llama_cpp_decode.py counts them: it begins
 * when each row has its first one. Answers with the milliseconds and, in the loss's stead, a number made of the first row's tokens.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Families, Model, Plugins, Task } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { Q4_1 } from "../../../kernels/encodings/q4_1.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import { serve } from "../serve.ts"

const [count, directory, given] = Deno.args
const rows = Number(count)
const weights = given === "Q4_1" ? Q4_1 : given as "f32" | "stored"

const TOKENS = 64
/** The peers' prompt in the first row, others in the rest. */
const prompt = (row: number) => Int32Array.from({ length: 16 }, (_, i) => 1 + (7919 * (i + 1) + row) % 40000)

const program = Effect.gen(function* () {
  const model = yield* Model.load(directory, { task: Task.causalLM(), weights, frozen: true })
  const engine = yield* Model.engine(model, { rows })
  const step = async () => {
    const made: Array<number> = [], begun = new Set<number>()
    const ids = Array.from({ length: rows }, (_, row) => engine.insert(prompt(row), { maxNewTokens: TOKENS + 8 }))
    let start = 0, tokens = 0
    while (made.length < TOKENS || tokens < rows * (TOKENS - 1)) {
      for (const [id, { token }] of await engine.next()) {
        if (id === ids[0]) made.push(token)
        if (begun.size === rows) tokens++
        begun.add(id)
      }
      if (start === 0 && begun.size === rows) start = performance.now()
    }
    const milliseconds = (performance.now() - start) * rows * (TOKENS - 1) / tokens
    ids.forEach(engine.remove)
    const loss = made.slice(0, TOKENS).reduce((sum, id, at) => sum + id * (at % 7 + 1), 0)
    return { loss, milliseconds }
  }
  yield* Effect.promise(() => serve(step))
})

const all = Llama.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Wasm.layer({ threads: 2 }), Plugins.layer, Families.layer, NodeFileSystem.layer)),
)
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
