/**
 * The product on Espalier, `wasm` or `webgpu`.
 * @module
 */
import * as Effect from "effect/Effect"
import { type BackendChoice, layerWith } from "../../../core/backend/auto.ts"
import { Backend } from "../../../core/backend/backend.ts"
import { matmul, narrow, slot } from "../../../core/tensor/ops.ts"
import { ready } from "../../../core/training/stepper.ts"
import { at, operands, size } from "../gemm.ts"
import { serve } from "../small_step.ts"

const program = Effect.gen(function* () {
  const backend = yield* Backend
  const [a, b, c] = ["a", "b", "c"].map((name) => backend.allocate(name, [size, size]))
  yield* Effect.promise(async () => {
    const [left, right] = operands()
    await backend.write(a, left)
    await backend.write(b, right)
    const product = matmul(slot(a), slot(b))
    // Something is handed back, so that a run ends when the product is there.
    const element = narrow(narrow(product, 0, at[0], at[0] + 1), 1, at[1], at[1] + 1)
    const { run } = await ready(backend, { name: "gemm", outputs: { element }, updates: [[c, product]] })
    await serve(async () => (await run({})).element[0])
  })
})

await Effect.runPromise(
  Effect.scoped(program.pipe(Effect.provide(layerWith({ backend: Deno.args[0] as BackendChoice })))),
)
