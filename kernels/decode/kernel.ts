import type { View } from "../contract.ts"
import type { Kernel } from "../kernel.ts"

/** output = input, out of blocks of an encoding into f32. */
export interface DecodeCall {
  readonly kernel: "decode"
  /** Whole blocks, shape [elements], contiguous. */
  readonly input: View
  /** The same shape, contiguous. */
  readonly output: View
}

/** A buffer of blocks as f32, for kernels that do not read blocks. */
export const decode: Kernel<DecodeCall> = {
  name: "decode",
  views: { input: "read blocks", output: "write" },
  work: () => ({ flops: 0 }),
  shapes: ({ input }) => `[${input.shape}]`,
  reference: ({ input, output }, buffers) => void buffers[output.buffer].set(buffers[input.buffer]),
}
