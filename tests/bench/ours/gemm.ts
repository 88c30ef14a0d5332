/**
 * `gemm.ts backend product`: the products on Espalier, `wasm` or `webgpu`; the product is JSON, see ../gemm.ts.
 * @module
 */
import * as Effect from "effect/Effect"
import { type BackendChoice, layerWith } from "../../../core/backend/auto.ts"
import { Backend, type Slot } from "../../../core/backend/backend.ts"
import { matmul, narrow, permute, slot } from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { ready } from "../../../core/backend/ready.ts"
import { at, operand, type Product } from "../gemm.ts"
import { serve } from "../serve.ts"

const [choice, text] = Deno.args
const { batch, m, k, n, leftTransposed, rightTransposed, count }: Product = JSON.parse(text)

const program = Effect.gen(function* () {
  const backend = yield* Backend
  yield* Effect.promise(async () => {
    const stored = async (number: number, rows: number, columns: number, transposed: boolean): Promise<Tensor> => {
      const shape = transposed ? [batch, columns, rows] : [batch, rows, columns]
      const place = backend.allocate(`operand ${number}`, shape)
      await backend.write(place, operand(number, batch * rows * columns))
      return transposed ? permute(slot(place), [0, 2, 1]) : slot(place)
    }
    const products: Array<[Slot, Tensor]> = []
    for (let i = 0; i < count; i++) {
      const left = await stored(2 * i, m, k, leftTransposed), right = await stored(2 * i + 1, k, n, rightTransposed)
      products.push([backend.allocate(`product ${i}`, [batch, m, n]), matmul(left, right)])
    }
    // Something is handed back, so that a run ends when the products are there.
    const [row, column] = at
    const last = narrow(products[count - 1][1], 0, batch - 1, batch)
    const element = narrow(narrow(last, 1, row, row + 1), 2, column, column + 1)
    const { run } = await ready(backend, { name: "gemm", outputs: { element }, updates: products })
    await serve(async () => (await run({})).element[0])
  })
})

const layer = layerWith({ backend: choice as BackendChoice, wasm: { threads: 2 } })
await Effect.runPromise(Effect.scoped(program.pipe(Effect.provide(layer))))
