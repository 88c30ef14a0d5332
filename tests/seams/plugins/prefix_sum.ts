/**
 * Sums of all elements up to each, along the last axis: an operation with a kernel of its own, and a derivative by it.
 * @module
 */
import { node, type Operation, ops, type Tensor, type View } from "@espalier/espalier"
import { contiguous, forEachPlace, type Kernel, wasm, wgsl } from "@espalier/espalier/kernels"

/** output[r, c] = sum over i <= c of input[r, i]. */
export interface PrefixSumCall {
  readonly kernel: "seams/prefix_sum"
  /** Shape [rows, columns]. */
  readonly input: View
  /** Shape [rows, columns], contiguous. */
  readonly output: View
}

const { f32, get, i32 } = wasm

export const prefixSumKernel: Kernel<PrefixSumCall> = {
  name: "seams/prefix_sum",
  views: { input: "read", output: "write" },
  work: ({ input: { shape: [rows, columns] } }) => ({ flops: rows * columns }),
  shapes: ({ input }) => `[${input.shape}]`,
  lower: ([sums], { buffer, viewAs }) => {
    const [x] = sums.inputs
    const columns = x.shape.at(-1)!
    const shape = [x.shape.slice(0, -1).reduce((a, b) => a * b, 1), columns]
    return { kernel: "seams/prefix_sum", input: viewAs(x, shape, true), output: contiguous(buffer(sums), shape) }
  },
  reference: ({ input, output }, buffers) => {
    const [columns, total] = [input.shape[1], { sum: 0 }]
    forEachPlace(input.shape, [input, output], ([from, to], [, column]) => {
      total.sum = (column % columns === 0 ? 0 : total.sum) + buffers[input.buffer][from]
      buffers[output.buffer][to] = total.sum
    })
  },
  wasm: ({ input, output }, { module, address }) => {
    const [rows, columns] = input.shape
    const func = module.once(
      `seams/prefix_sum ${columns}`,
      () =>
        module.func("prefix_sum", ["i32", "i32", "i32", "i32"], [], (f, begin, end, from, to) => {
          const [row, column, at, sum] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("f32")]
          return wasm.forRange(row, get(begin), get(end), 1, [
            wasm.set(at, i32.mul(get(row), i32.const(4 * columns))),
            wasm.set(sum, f32.const(0)),
            wasm.forRange(column, i32.const(0), i32.const(columns), 1, [
              wasm.set(sum, f32.add(get(sum), f32.load(i32.add(get(from), get(at))))),
              f32.store(i32.add(get(to), get(at)), get(sum)),
              wasm.increase(at, 4),
            ]),
          ])
        }),
    )
    const at = ({ buffer, offset }: View) => i32.add(address(buffer), i32.const(4 * offset))
    const run = (begin: wasm.Code, end: wasm.Code) => wasm.call(func, begin, end, at(input), at(output))
    return [wasm.groupedStage(rows, wasm.itemsPerUnit(rows, columns), run)]
  },
  wgsl: ({ input, output }, { device, shader: begin }) => {
    const [rows, columns] = input.shape
    const shader = begin()
    const from = shader.read(input.buffer, "f32"), to = shader.write(output.buffer, "f32")
    const { workgroups, number } = wgsl.lineOfWorkgroups(Math.ceil(rows / wgsl.GROUP), device)
    const code = `@compute @workgroup_size(${wgsl.GROUP})
fn main(${wgsl.PARAMETERS}) {
  let row = ${number} * ${wgsl.GROUP}u + thread;
  if (row >= ${rows}u) { return; }
  var sum = 0f;
  for (var column = 0u; column < ${columns}u; column++) {
    sum += ${from.load(`${input.offset}u + row * ${columns}u + column`)};
    ${to.store(`${output.offset}u + row * ${columns}u + column`, "sum")}
  }
}
`
    return [shader.finish({ label: `prefix_sum [${input.shape}]`, code, workgroups })]
  },
}

const prefixSumOperation: Operation = {
  name: "seams/prefixSum",
  kernel: prefixSumKernel,
  derivative: (_, cotangent) => [ops.flip(prefixSum(ops.flip(cotangent, -1)), -1)],
  // A product with a triangle of ones.
  decompose: ({ inputs: [x] }) => {
    const columns = x.shape.at(-1)!
    const [from, to] = [ops.iota([columns, columns], 0), ops.iota([columns, columns], 1)]
    return ops.matmul(x, ops.lessEqual(from, to))
  },
}

/** Sums of all elements up to each along the last axis; x has two axes or more. */
export function prefixSum(x: Tensor): Tensor {
  return node(prefixSumOperation, [x], x.shape, "f32")
}
