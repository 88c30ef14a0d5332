/**
 * `window.ts [window]`: causal attention and its derivatives, 4 heads of 64 at 4,096 tokens, on wasm.
 * @module
 */
import * as Effect from "effect/Effect"
import { layerWith } from "../../../core/backend/auto.ts"
import { Backend } from "../../../core/backend/backend.ts"
import { build } from "../../../core/graph/build.ts"
import { gradients } from "../../../core/graph/gradients.ts"
import { attention, input, mul, sum } from "../../../core/tensor/ops.ts"
import { serve } from "../serve.ts"

const shape = [1, 4, 4096, 64], size = 4 * 4096 * 64
const [window] = Deno.args.map(Number)

const program = Effect.gen(function* () {
  const backend = yield* Backend
  const [q, k, v] = ["q", "k", "v"].map((name) => input(name, shape))
  const y = attention(q, k, v, { causal: true, ...(window > 0 ? { window } : {}) })
  const totals = gradients(sum(mul(y, y)), [q, k, v]).map((x) => sum(x))
  const outputs = Object.fromEntries([sum(y), ...totals].map((x, i) => [`${i}`, x]))
  const executable = yield* Effect.promise(() => backend.compile(build({ name: "window", outputs, updates: [] })))
  const data = Object.fromEntries(["q", "k", "v"].map((name, seed) => [
    name,
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * (0.7 + seed))),
  ]))
  yield* Effect.promise(() =>
    serve(async () => {
      await executable.run(data)
      // Contestants must agree on the loss; these differ on purpose.
      return 0
    })
  )
})

await Effect.runPromise(
  Effect.scoped(program.pipe(Effect.provide(layerWith({ backend: "wasm", wasm: { threads: 2 } })))),
)
