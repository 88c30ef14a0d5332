/**
 * Every operation and its derivative on a backend, beside float64.
 * @module
 */
import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Backend } from "../../../core/backend/backend.ts"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import { build } from "../../../core/graph/build.ts"
import { gradients } from "../../../core/graph/gradients.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { evaluateAll } from "../../evaluate.ts"
import { cases, dataOf, inputsOf, type OperationCase, scalar } from "../graph/operations.ts"

/** A case's value and the derivatives of its smooth inputs. */
function resultsOf(test: OperationCase): Record<string, Tensor> {
  const inputs = inputsOf(test)
  const value = test.build(inputs)
  const smooth = test.smooth ?? Object.keys(test.inputs).filter((name) => test.inputs[name].dtype !== "i32")
  const found = smooth.length === 0 ? [] : gradients(scalar(value), smooth.map((name) => inputs[name]))
  return { value, ...Object.fromEntries(smooth.map((name, i) => [`d ${name}`, found[i]])) }
}

/**
 * Goes through all cases, each a step of the test.
 *
 * @param tolerance Greatest error, of the greatest value of a result.
 */
export async function compareOperations(
  t: Deno.TestContext,
  layer: Layer.Layer<Backend, BackendError>,
  tolerance: number,
): Promise<void> {
  await Effect.runPromise(
    Effect.gen(function* () {
      const backend = yield* Backend
      yield* Effect.promise(async () => {
        for (const test of cases) {
          await t.step(test.name, async () => {
            const data = dataOf(test)
            const results = resultsOf(test)
            const expected = evaluateAll(Object.values(results), { inputs: data })
            const program = await backend.compile(build({ name: test.name, outputs: results, updates: [] }))
            const used = Object.fromEntries(
              Object.entries(data).map(([name, values]) => [
                name,
                test.inputs[name].dtype === "i32" ? Int32Array.from(values) : Float32Array.from(values),
              ]),
            )
            const actual = await program.run(used)
            Object.keys(results).forEach((name, i) => {
              const scale = expected[i].reduce((top, x) => Math.max(top, Math.abs(x)), 1e-3)
              expected[i].forEach((x, j) => {
                const error = Math.abs(actual[name][j] - x) / scale
                assert(error < tolerance, `${name}[${j}] is ${actual[name][j]}, not ${x}`)
              })
            })
            program.dispose()
          })
        }
      })
    }).pipe(Effect.provide(layer), Effect.scoped),
  )
}
