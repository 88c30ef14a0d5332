/**
 * `window.ts [window]`: causal attention and its derivatives, 4 heads of 64 at 4,096 tokens, on wasm.
 * @module
 */
import * as Effect from "effect/Effect"
import { layerWith } from "../../../core/backend/auto.ts"
import { Backend } from "../../../core/backend/backend.ts"
import { build } from "../../../core/graph/build.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { attention, mul, slot, sum } from "../../../core/tensor/ops.ts"
import { serve } from "../serve.ts"

const shape = [1, 4, 4096, 64], size = 4 * 4096 * 64
const [window] = Deno.args.map(Number)

const program = Effect.gen(function* () {
  const backend = yield* Backend
  const inputs = ["q", "k", "v"].map((name) => backend.allocate(name, shape))
  const results = ["y", "dq", "dk", "dv"].map((name) => backend.allocate(name, shape))
  for (const [seed, place] of inputs.entries()) {
    const data = Float32Array.from({ length: size }, (_, i) => Math.sin(i * (0.7 + seed)))
    yield* Effect.promise(() => backend.write(place, data))
  }
  const [q, k, v] = inputs.map((place) => slot(place))
  const y = attention(q, k, v, { causal: true, ...(window > 0 ? { window } : {}) })
  const found = [y, ...gradients(sum(mul(y, y)), [q, k, v])]
  const updates = found.map((x, i) => [results[i], x] as const)
  const executable = yield* Effect.promise(() => backend.compile(build({ name: "window", outputs: {}, updates })))
  yield* Effect.promise(() =>
    serve(async () => {
      await executable.run({})
      // Contestants must agree on the loss; these differ on purpose.
      return 0
    })
  )
})

await Effect.runPromise(
  Effect.scoped(program.pipe(Effect.provide(layerWith({ backend: "wasm", wasm: { threads: 2 } })))),
)
