import { assert, assertEquals } from "@std/assert"
import { build } from "../../../core/graph/build.ts"
import type { BuiltinCall } from "../../../kernels/builtin.ts"
import { interpret } from "../../../core/graph/interpret.ts"
import { recomputeLate } from "../../../core/graph/rewrite/recompute_late.ts"
import { simplify } from "../../../core/graph/rewrite/simplify.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { evaluate } from "../../support/evaluate.ts"

const SIZE = 384
const inputs = () => {
  const square = (name: string) => ops.input(name, [SIZE, SIZE])
  return { x: square("x"), w: square("w"), gain: ops.input("gain", [SIZE]) }
}
const data = {
  x: Float64Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i)),
  w: Float64Array.from({ length: SIZE * SIZE }, (_, i) => Math.cos(3 * i) / SIZE),
  gain: Float64Array.from({ length: SIZE }, (_, i) => 1 + i / SIZE),
}

/**
 * A value that is read early and, after `between` products, by one more; what it is made of is read after that, or not.
 */
const graph = (between: number, stays: boolean) => {
  const { x, w, gain } = inputs()
  const kept = ops.tanh(ops.matmul(x, w))
  const value = ops.add(ops.mul(kept, gain), gain)
  let y: Tensor = value
  for (let i = 0; i < between; i++) y = ops.matmul(y, w)
  const late = ops.matmul(ops.permute(value, [1, 0]), y)
  return [stays ? ops.add(late, ops.matmul(kept, late)) : late]
}
/** How often the product with `gain` is done. */
const products = (roots: ReadonlyArray<Tensor>) => {
  const program = build({ name: "late", outputs: { y: roots[0] }, updates: [] })
  const bodies = (program.calls as ReadonlyArray<BuiltinCall>).flatMap((call) =>
    call.kernel === "rows" ? [call.body] : call.kernel === "matmul" ? [call.epilogue?.body ?? []] : []
  )
  return { program, count: bodies.flat().filter(({ op }) => op === "mul").length }
}

Deno.test("what a far product reads is computed again, where its parts stay until then", () => {
  assertEquals(products(graph(12, true)).count, 2)
  assertEquals(products(graph(12, false)).count, 1, "its parts would have to stay for it")
  assertEquals(products(graph(4, true)).count, 1, "the use is near")
})

Deno.test("what is computed again has the same value", () => {
  const [root] = graph(12, true)
  const simple = simplify([root])
  assert(recomputeLate(simple)[0] !== simple[0])
  const { y } = interpret(products([root]).program, new Map(), data)
  const expected = evaluate(root, { inputs: data })
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  assert(expected.every((value, i) => Math.abs(value - y[i]) <= 1e-12 * scale))
})
