import { type Case, noise, size, view } from "./compare.ts"
import { testAll } from "./test_all.ts"

testAll(
  "gather: odd shapes, strided table, indices outside give zeros",
  [[11, 7, 5], [3, 1, 1], [100, 64, 33], [5, 513, 40], [4, 0, 3], [4, 3, 0]].map(([rows, width, count]): Case => ({
    name: `gather ${count} of [${rows}, ${width}]`,
    call: {
      kernel: "gather",
      table: view(0, [rows, width], [width + 2, 1], 1),
      indices: view(1, [count], [1]),
      output: view(2, [count, width]),
    },
    buffers: [
      noise(rows * (width + 2) + 1),
      Int32Array.from({ length: count }, (_, i) => i === 2 ? -1 : i === 4 ? rows : i * 7 % rows),
      noise(count * width, 3),
    ],
    tolerance: 0,
  })),
)

testAll("gather: columns of a transposed table", [{
  name: "transposed",
  call: {
    kernel: "gather",
    table: view(0, [9, 6], [1, 9]),
    indices: view(1, [4], [2]),
    output: view(2, [4, 6]),
  },
  buffers: [noise(54), Int32Array.of(8, 0, 0, 0, 3, 0, 8), noise(24)],
  tolerance: 0,
}])

testAll(
  "scatter_add: repeated and outside indices, order kept",
  [[1, 5, 9, 7], [3, 11, 40, 33], [2, 4, 6, 130], [1, 1, 3, 1], [2, 3, 0, 4], [0, 3, 2, 4]].map(
    ([batch, rows, count, width]): Case => ({
      name: `scatter [${batch}, ${count}, ${width}] into ${rows}`,
      call: {
        kernel: "scatter_add",
        indices: view(0, [batch, count]),
        updates: view(1, [batch, count, width]),
        output: view(2, [batch, rows, width]),
      },
      buffers: [
        Int32Array.from({ length: batch * count }, (_, i) => i * 5 % (rows + 2) - 1),
        noise(batch * count * width),
        noise(batch * rows * width, 2),
      ],
      tolerance: 1e-5,
    }),
  ),
)

testAll(
  "update_slice: any axis, and a start beyond the end is moved back",
  [0, 1, 2].flatMap((axis) =>
    [0, 2, 99, -4].map((start): Case => {
      const shape = [4, 5, 6], part = shape.map((extent, a) => a === axis ? 2 : extent)
      return {
        name: `axis ${axis} at ${start}`,
        call: {
          kernel: "update_slice",
          axis,
          destination: view(2, shape),
          source: view(0, part),
          start: view(1, [], [], 1),
        },
        buffers: [noise(size(part)), Int32Array.of(77, start), noise(120, 2)],
        tolerance: 0,
      }
    })
  ),
)

testAll(
  "update_slice: each row at a start of its own, and shorter than the destination on other axes",
  [1, 2].map((axis): Case => {
    const shape = [4, 5, 6], part = shape.map((extent, a) => a === axis ? 2 : extent - 1)
    return {
      name: `axis ${axis}`,
      call: {
        kernel: "update_slice",
        axis,
        destination: view(2, shape),
        source: view(0, part),
        start: view(1, [3], [2], 1),
      },
      buffers: [noise(size(part)), Int32Array.of(77, 3, 77, -1, 77, 9), noise(120, 2)],
      tolerance: 0,
    }
  }),
)

testAll(
  "update_slice: each row into a named one, which is moved into the destination",
  [1, 2].flatMap((axis) =>
    [3, 1].map((rows): Case => {
      const shape = [4, 5, 6], part = [rows, 4, 5].map((extent, a) => a === axis ? 2 : extent)
      return {
        name: `axis ${axis}, rows ${rows}`,
        call: {
          kernel: "update_slice",
          axis,
          destination: view(2, shape),
          source: view(0, part),
          start: view(1, [rows, 2], [3, 2], 1),
        },
        buffers: [noise(size(part)), Int32Array.of(77, 2, 77, 3, 9, 77, -1, 0, 77, 9), noise(120, 2)],
        tolerance: 0,
      }
    })
  ),
)
