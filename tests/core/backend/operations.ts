/**
 * Every operation and its derivative on a backend, beside float64.
 * @module
 */
import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Backend, type BackendService } from "../../../core/backend/backend.ts"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import { build } from "../../../core/graph/build.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { decode, encode, type Storage } from "../../kernels/halves.ts"
import { slot } from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { evaluateAll } from "../../support/evaluate.ts"
import { cases, dataOf, inputsOf, type OperationCase, scalar } from "../graph/operations.ts"

/** A case's value and the derivatives of its smooth inputs. */
function resultsOf(test: OperationCase, inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const value = test.build(inputs)
  const smooth = test.smooth ?? Object.keys(test.inputs).filter((name) => test.inputs[name].dtype !== "i32")
  const found = smooth.length === 0 ? [] : gradients(scalar(value), smooth.map((name) => inputs[name]))
  return { value, ...Object.fromEntries(smooth.map((name, i) => [`d ${name}`, found[i]])) }
}

/** The nearest numbers that 16 bits hold. */
function rounded(data: Float64Array, storage: Exclude<Storage, "f32">): Float32Array<ArrayBuffer> {
  const halves = new Uint16Array(data.length)
  encode(storage, Float32Array.from(data), halves)
  return decode(storage, halves)
}

/** Puts floats into slots of 16 bits, where they are no batch. */
async function store(
  backend: BackendService,
  test: OperationCase,
  data: Record<string, Float64Array>,
  storage: Exclude<Storage, "f32">,
) {
  const tensors: Record<string, Tensor> = {}
  const slots = new Map<number, ArrayLike<number>>()
  const free: (() => void)[] = []
  for (const [name, { shape, dtype, batch }] of Object.entries(test.inputs)) {
    if (dtype === "i32" || batch) continue
    const own = backend.allocate(name, shape, "f32", storage)
    const values = rounded(data[name], storage)
    await backend.write(own, values)
    tensors[name] = slot(own)
    slots.set(own.id, values)
    free.push(() => backend.free(own))
  }
  return { tensors, slots, free: () => free.forEach((give) => give()) }
}

/**
 * Goes through all cases, each a step of the test.
 *
 * @param tolerance Greatest error, of the greatest value of a result.
 * @param storage What the floats are kept in, in slots. Default: they are inputs of each run.
 */
export async function compareOperations(
  t: Deno.TestContext,
  layer: Layer.Layer<Backend, BackendError>,
  tolerance: number,
  storage?: Exclude<Storage, "f32">,
): Promise<void> {
  await Effect.runPromise(
    Effect.gen(function* () {
      const backend = yield* Backend
      yield* Effect.promise(async () => {
        for (const test of cases) {
          await t.step(test.name, async () => {
            const data = dataOf(test)
            const kept = storage === undefined ? undefined : await store(backend, test, data, storage)
            const results = resultsOf(test, { ...inputsOf(test), ...kept?.tensors })
            const given = kept === undefined ? {} : { slots: kept.slots }
            const expected = evaluateAll(Object.values(results), { inputs: data, ...given })
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
            kept?.free()
          })
        }
      })
    }).pipe(Effect.provide(layer), Effect.scoped),
  )
}
