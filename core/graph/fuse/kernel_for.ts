import { builtin } from "../../../kernels/builtin.ts"
import type { Kernel } from "../../../kernels/kernel.ts"
import type { Operation } from "../../tensor/tensor.ts"

/** The kernel that computes an operation's nodes as they are. */
export function kernelFor({ kernel }: Operation): Kernel | undefined {
  return typeof kernel === "string" ? builtin.get(kernel) : kernel as Kernel | undefined
}
