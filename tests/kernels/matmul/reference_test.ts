import { assertEquals } from "@std/assert"
import { matmulReference } from "../../../kernels/matmul/reference.ts"

Deno.test("the reference by hand: two entries, b transposed and shared, an offset in the output", () => {
  const buffers = [Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8), Float64Array.of(1, 10, 2, 20, 3, 30), new Float64Array(13)]
  matmulReference({
    kernel: "matmul",
    a: { buffer: 0, offset: 0, shape: [2, 2, 2], strides: [4, 2, 1] },
    b: { buffer: 1, offset: 0, shape: [2, 2, 3], strides: [0, 1, 2] },
    output: { buffer: 2, offset: 1, shape: [2, 2, 3], strides: [6, 3, 1] },
  }, buffers)
  assertEquals([...buffers[2]], [0, 21, 42, 63, 43, 86, 129, 65, 130, 195, 87, 174, 261])
})
