import assert from "node:assert/strict"
import { ops, ShapeError } from "@espalier/espalier"
import { checkOperation } from "@espalier/espalier/plugin"
import { rescale } from "./rescale.ts"

Deno.test("rescale is what its reference says, with its derivatives, example by example too", () => {
  const found = checkOperation(({ x, factors }) => rescale(x, factors), {
    x: { shape: [3, 5, 7], batch: true },
    factors: { shape: [7] },
  })
  assert(found.value < 1e-14 && found.derivative < 1e-6 && found.perExample < 1e-14, JSON.stringify(found))
})

Deno.test("rescale of other shapes is an error", () => {
  const x = ops.input("x", [3, 7])
  for (const shape of [[3], [7, 1], []]) assert.throws(() => rescale(x, ops.input("factors", shape)), ShapeError)
  assert.throws(() => rescale(ops.input("x", [7], { dtype: "i32" }), ops.input("factors", [7])), /i32/)
})
