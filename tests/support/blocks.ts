/**
 * Encodings in blocks, tested in programs of both backends.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { Backend, type BackendService, Espalier, ops } from "@espalier/espalier"
import type { BlockEncoding } from "@espalier/espalier/kernels"
import { build, evaluateAll, gradients, type Graph } from "@espalier/espalier/plugin"

/** Numbers that repeat from run to run, around 0. */
export const numbers = (length: number, seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * 1.37 + seed) + 0.3 * Math.cos(i * i + seed))

/** Runs a test on each backend that there is. */
export function onBoth(name: string, body: (backend: BackendService) => Promise<void>): void {
  for (const backend of ["wasm", "webgpu"] as const) {
    Deno.test(`${name}, ${backend}`, async (t) => {
      if (backend === "webgpu" && await navigator.gpu?.requestAdapter() == null) {
        await t.step({ name: "NOT RUN: no WebGPU adapter", ignore: true, fn: () => {} })
        return
      }
      await Effect.gen(function* () {
        const service = yield* Backend
        yield* Effect.promise(() => body(service))
      }).pipe(Effect.provide(Espalier.layerWith({ backend }), { local: true }), Effect.scoped, Effect.runPromise)
    })
  }
}

/** Fails unless a graph over a slot in blocks gives what it gives in float64 for the decoded weights. */
export async function assertRight(
  backend: BackendService,
  graph: Graph,
  slot: number,
  weights: Float32Array,
  x: Float32Array,
): Promise<void> {
  const outputs = Object.values(graph.outputs)
  const want = evaluateAll(outputs, { inputs: { x }, slots: new Map([[slot, weights]]) })
  const executable = await backend.compile(build(graph))
  const got = await executable.run({ x })
  executable.dispose()
  Object.keys(graph.outputs).forEach((name, i) => {
    const size = want[i].reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const worst = want[i].reduce((most, value, at) => Math.max(most, Math.abs(value - got[name][at])), 0)
    assert(worst <= 3e-6 * size, `${graph.name}: ${name} is off by ${worst} of ${size}`)
  })
}

/**
 * Fails unless the product of x [m, k] with weights [n, k] in blocks, and its gradient by x, are right, and read the blocks.
 *
 * @param data What is written: numbers, or bytes as encoded.
 * @returns The weights as the backend decodes them.
 */
export async function assertProducts(
  backend: BackendService,
  encoding: BlockEncoding,
  [m, n, k]: readonly [m: number, n: number, k: number],
  data: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>,
): Promise<Float32Array> {
  const slot = backend.allocate("weights", [n, k], "f32", encoding)
  await backend.write(slot, data)
  const weights = await backend.read(slot) as Float32Array
  const x = ops.input("x", [m, k])
  const y = ops.gelu(ops.matmul(x, ops.slot(slot), { transposeB: true }))
  const [dx] = gradients(ops.sum(ops.mul(y, y)), [x])
  const graph = { name: `${encoding.name} ${m}x${k}x${n}`, outputs: { y, dx }, updates: [] }
  assertEquals(build(graph).calls.filter(({ kernel }) => kernel === "decode").length, 0, "products read the blocks")
  await assertRight(backend, graph, slot.id, weights, numbers(m * k, 2))
  backend.free(slot)
  return weights
}
