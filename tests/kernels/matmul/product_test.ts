import { assertEquals } from "@std/assert"
import type { MatmulCall } from "../../../kernels/matmul/call.ts"
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
    beside: [],
  })
  const separate = collapse(matmul([210, 42, 7, 1], [280, 56, 8, 1], [240, 48, 8, 1]))
  assertEquals(separate.batch, [{ extent: 20, a: 42, b: 56, output: 48, beside: [] }])
  const outer = collapse(matmul([210, 42, 7, 1], [56, 0, 8, 1], [240, 48, 8, 1]))
  assertEquals([outer.batch, outer.m], [[{ extent: 4, a: 210, b: 56, output: 240, beside: [] }], 30])
  const interleaved = collapse(matmul([210, 42, 7, 1], [0, 0, 8, 1], [240, 8, 40, 1])) // the output's rows lie apart
  assertEquals([interleaved.batch, interleaved.m], [[
    { extent: 4, a: 210, b: 0, output: 240, beside: [] },
    { extent: 5, a: 42, b: 0, output: 8, beside: [] },
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
    beside: [],
  })
})

Deno.test("axes merge only where the views of the epilogue do", () => {
  const shape = [4, 5, 6, 8]
  const call = matmul([210, 42, 7, 1], [0, 0, 1, 7], [240, 48, 8, 1])
  const beside = (...strides: number[][]) =>
    collapse({
      ...call,
      epilogue: {
        body: [],
        result: 0,
        inputs: [{ buffer: 3, offset: 0, shape, strides: strides[0] }],
        also: strides.slice(1).map((strides) => ({ step: 0, view: { buffer: 4, offset: 0, shape, strides } })),
      },
    })
  const bias = beside([0, 0, 0, 1], [240, 48, 8, 1])
  assertEquals([bias.batch, bias.m, bias.beside], [[], 120, [{ m: 0, n: 1 }, { m: 8, n: 1 }]])
  const inner = beside([9, 0, 0, 1])
  assertEquals([inner.batch, inner.m, inner.beside], [
    [{ extent: 4, a: 210, b: 0, output: 240, beside: [9] }],
    30,
    [{ m: 0, n: 1 }],
  ])
  const rows = beside([0, 0, 3, 0])
  assertEquals([rows.batch, rows.m, rows.beside], [
    [{ extent: 20, a: 42, b: 0, output: 48, beside: [0] }],
    6,
    [{ m: 3, n: 0 }],
  ])
})
