import type { Kernel } from "../kernel.ts"
import type { DecodeCall } from "./call.ts"

/** A buffer of blocks as f32, for kernels that do not read blocks. */
export const decode: Kernel<DecodeCall> = {
  name: "decode",
  views: { input: "read blocks", output: "write" },
  work: () => ({ flops: 0 }),
  shapes: ({ input }) => `[${input.shape}]`,
  reference: ({ input, output }, buffers) => void buffers[output.buffer].set(buffers[input.buffer]),
}
