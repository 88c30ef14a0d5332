/**
 * `large.ts model`: a large Llama in a GGUF file, on the wasm backend. `step 1` is a LoRA step (rank 8 at the projections of
 * queries and values) of one row of 128 tokens; `decode` answers with the milliseconds of a further token.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { generate } from "../../../core/inference/mod.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { makeSession } from "../../../core/training/session.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { VOCABULARY } from "../large_llama.ts"
import { serve } from "../serve.ts"

const TOKENS = 128, NEW_TOKENS = 16
const [path] = Deno.args
/** Of a token without a label. As core/data/encode.ts has it. */
const MASKED = -100

const tokens = Int32Array.from({ length: TOKENS }, (_, i) => (1 + 7919 * (i + 1)) % VOCABULARY)
const batches = [{
  task: "default",
  shape: [1, TOKENS] as const,
  tokens,
  lengths: Int32Array.of(TOKENS),
  exampleWeight: Float32Array.of(1),
  rows: Int32Array.of(0),
  fields: { labels: Int32Array.from([...tokens.subarray(1), MASKED]) },
}]

const program = Effect.gen(function* () {
  const start = performance.now()
  const model = yield* load(path, { task: Task.causalLM() })
  const loading = performance.now() - start
  const session = yield* Effect.promise(() => makeSession(model, { seed: 0, examplesPerStep: 1 }))
  const generated = async (maxNewTokens: number) => {
    const start = performance.now()
    const made = await Effect.runPromise(generate(model, tokens.subarray(0, 8), { maxNewTokens }))
    if (made.length !== maxNewTokens) throw new Error(`${made.length} tokens of ${maxNewTokens}`)
    return performance.now() - start
  }
  yield* Effect.promise(() =>
    serve(async () => {
      const posted = await session.post({ batches }, 1e-3)
      const [{ loss }] = [...posted, ...await session.drain()]
      return loss
    }, {
      load: () => ({ milliseconds: loading, memory: model.backend.memory() }),
      decode: async () => {
        await generated(2) // compiles
        const first = await generated(1)
        return { milliseconds: (await generated(1 + NEW_TOKENS) - first) / NEW_TOKENS }
      },
    })
  )
})

const all = Layer.mergeAll(Lora.layer({ r: 8, targetModules: ["q_proj", "v_proj"] }), Llama.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(Wasm.layer({ threads: 2 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)),
)
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
