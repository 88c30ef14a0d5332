import { assertEquals } from "@std/assert"
import type { MatmulCall } from "../../../kernels/contract.ts"
import { collapse } from "../../../kernels/matmul/product.ts"

/** [4, 5, 6, 7] times [4, 5, 7, 8] with these strides. */
const matmul = (a: number[], b: number[], output: number[]): MatmulCall => ({
  kernel: "matmul",
  a: { buffer: 0, offset: 0, shape: [4, 5, 6, 7], strides: a },
  b: { buffer: 1, offset: 0, shape: [4, 5, 7, 8], strides: b },
  output: { buffer: 2, offset: 0, shape: [4, 5, 6, 8], strides: output },
})

Deno.test("entries that share b become rows", () => {
  const shared = matmul([210, 42, 7, 1], [0, 0, 1, 7], [240, 48, 8, 1])
  assertEquals(collapse(shared), {
    batch: [],
    m: 120,
    n: 8,
    k: 7,
    a: { m: 7, k: 1 },
    b: { k: 1, n: 7 },
    output: { m: 8 },
  })
  const separate = collapse(matmul([210, 42, 7, 1], [280, 56, 8, 1], [240, 48, 8, 1]))
  assertEquals(separate.batch, [{ extent: 20, a: 42, b: 56, output: 48 }])
  const outer = collapse(matmul([210, 42, 7, 1], [56, 0, 8, 1], [240, 48, 8, 1]))
  assertEquals([outer.batch, outer.m], [[{ extent: 4, a: 210, b: 56, output: 240 }], 30])
  const interleaved = collapse(matmul([210, 42, 7, 1], [0, 0, 8, 1], [240, 8, 40, 1])) // the output's rows lie apart
  assertEquals([interleaved.batch, interleaved.m], [[
    { extent: 4, a: 210, b: 0, output: 240 },
    { extent: 5, a: 42, b: 0, output: 8 },
  ], 6])
})

Deno.test("axes of one entry vanish, and single rows become one matrix", () => {
  const single = collapse({
    kernel: "matmul",
    a: { buffer: 0, offset: 0, shape: [1, 9, 1, 3], strides: [99, 5, 77, 1] },
    b: { buffer: 1, offset: 0, shape: [1, 9, 3, 2], strides: [99, 0, 2, 1] },
    output: { buffer: 2, offset: 0, shape: [1, 9, 1, 2], strides: [99, 6, 55, 1] },
  })
  assertEquals(single, {
    batch: [],
    m: 9,
    n: 2,
    k: 3,
    a: { m: 5, k: 1 },
    b: { k: 2, n: 1 },
    output: { m: 6 },
  })
})
