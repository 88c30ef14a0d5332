import { assertEquals } from "@std/assert"
import { gradients } from "../../../../core/graph/rewrite/gradients.ts"
import { narrowed } from "../../../../core/graph/rewrite/narrow.ts"
import * as ops from "../../../../core/tensor/ops.ts"
import { uniformAt } from "../../../../core/tensor/operations/threefry.ts"
import type { Tensor } from "../../../../core/tensor/tensor.ts"
import { evaluateAll } from "../../../support/evaluate.ts"

Deno.test("what is computed again follows transforms of what it is computed from", () => {
  const x = ops.input("x", [2, 6, 4]), w = ops.input("w", [4, 4])
  const data = {
    x: Float64Array.from({ length: 48 }, (_, i) => uniformAt(i, 1, 1, 1) - 0.5),
    w: Float64Array.from({ length: 16 }, (_, i) => uniformAt(i, 2, 2, 2) - 0.5),
  }
  const block = (h: Tensor) => ops.tanh(ops.matmul(h, w))
  const h = ops.narrow(ops.exp(x), 1, 0, 3)
  const [plain, checkpointed] = [block(block(h)), ops.recompute(block, ops.recompute(block, h))].map((y) => {
    const [loss] = narrowed([ops.sum(ops.mul(y, y))])
    return evaluateAll([loss, ...gradients(loss, [x, w])], { inputs: data })
  })
  assertEquals(checkpointed, plain)
})
