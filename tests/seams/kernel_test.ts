/**
 * A kernel of a third party, written against the public exports alone, in programs of both backends.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { Backend, Espalier, node, ops, ShapeError, type Tensor } from "@espalier/espalier"
import { build, evaluateAll, gradients, type Graph } from "@espalier/espalier/plugin"
import { importPage } from "../support/page.ts"

const { prefixSum } = await importPage<{ readonly prefixSum: (x: Tensor) => Tensor }>("docs/add_a_kernel.md")

const SHAPE = [3, 40, 7]

/** An elementwise step before and after, and a derivative: the kernel runs forward and backward. */
function graphOf(x: Tensor): Graph {
  const y = ops.mul(prefixSum(ops.tanh(x)), 2)
  const [gradient] = gradients(ops.sum(ops.mul(y, y)), [x])
  return { name: "prefix sums", outputs: { y, gradient }, updates: [] }
}

for (const backend of ["wasm", "webgpu"] as const) {
  const adapter = backend === "wasm" || await navigator.gpu?.requestAdapter() != null
  Deno.test({
    name: `an operation with a kernel of its own runs on ${backend}${adapter ? "" : " (NOT RUN: no WebGPU adapter)"}`,
    ignore: !adapter,
    fn: () =>
      Effect.gen(function* () {
        const graph = graphOf(ops.input("x", SHAPE))
        const program = build(graph)
        assertEquals(program.calls.filter(({ kernel }) => kernel === "example/prefix_sum").length, 2)
        const x = Float32Array.from({ length: 3 * 40 * 7 }, (_, i) => Math.sin(i))
        const want = evaluateAll(Object.values(graph.outputs), { inputs: { x } })
        const engine = yield* Backend
        const executable = yield* Effect.promise(() => engine.compile(program))
        const got = yield* Effect.promise(() => executable.run({ x }))
        Object.keys(graph.outputs).forEach((name, i) =>
          want[i].forEach((value, at) =>
            assert(Math.abs(value - got[name][at]) < 1e-5 * (1 + Math.abs(value)), `${name}[${at}]`)
          )
        )
      }).pipe(Effect.provide(Espalier.layerWith({ backend }), { local: true }), Effect.scoped, Effect.runPromise),
  })
}

Deno.test("two kernels of one name in a program are an error", () => {
  const x = ops.input("x", [2, 3])
  const taken = prefixSum(x).operation.kernel as object
  const other = node({ name: "other", kernel: { ...taken, name: "example/prefix_sum" } }, [x], x.shape, "f32")
  assertThrows(
    () => build({ name: "twice", outputs: { a: prefixSum(x), other }, updates: [] }),
    ShapeError,
    'Two kernels are named "example/prefix_sum"',
  )
})
