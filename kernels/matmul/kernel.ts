import { broadcastStrides, sizeOf } from "../../core/tensor/shape.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { operationsOf, spell } from "../analysis.ts"
import type { View } from "../contract.ts"
import type { CallMemory, Kernel } from "../kernel.ts"
import { contiguous } from "../view.ts"
import type { MatmulCall } from "./call.ts"

/** The matrix product, with elementwise work on its result. */
export const matmul: Kernel<MatmulCall> = {
  name: "matmul",
  views: {
    a: "read encoded",
    b: "read blocks",
    output: "write",
    epilogue: { inputs: "read encoded", also: "write" },
  },
  work: ({ a, output, epilogue }) => ({
    flops: (2 * a.shape.at(-1)! + operationsOf(epilogue?.body ?? [])) * sizeOf(output.shape),
  }),
  shapes: ({ a, b }) => `[${a.shape}] x [${b.shape}]`,
  detail: ({ epilogue }) => {
    if (epilogue === undefined) return ""
    const { body, result, also } = epilogue
    return `  ${spell(body)} -> ${[result, ...also.map(({ step }) => step)].map((step) => `%${step}`).join(", ")}`
  },
  lower: ([node], memory) => {
    const { inputs: [a, b], attributes: { transposeA, transposeB }, shape } = node
    const output = contiguous(memory.buffer(node), shape)
    const batch = shape.slice(0, -2)
    return { kernel: "matmul", a: side(a, transposeA, batch, memory), b: side(b, transposeB, batch, memory), output }
  },
  withEpilogue: (call, output, epilogue) => ({ ...call, output, epilogue }),
}

/** An operand, repeated along the axes of the batch. */
function side(x: Tensor, transposed: unknown, batch: ReadonlyArray<number>, { viewAs }: CallMemory): View {
  const view = viewAs(x, x.shape)
  const turned = transposed ? { ...view, shape: swap(view.shape), strides: swap(view.strides) } : view
  const shape = [...batch, ...turned.shape.slice(-2)]
  return { ...view, shape, strides: broadcastStrides(turned, shape) }
}

const swap = (values: ReadonlyArray<number>) => [...values.slice(0, -2), values.at(-1)!, values.at(-2)!]
