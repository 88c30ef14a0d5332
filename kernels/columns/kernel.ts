import { sizeOf } from "../../core/tensor/shape.ts"
import { operationsOf, spell } from "../analysis.ts"
import type { Kernel } from "../kernel.ts"
import type { ColumnsCall } from "./call.ts"

/** Fused elementwise work reduced over axes other than the last. */
export const columns: Kernel<ColumnsCall> = {
  name: "columns",
  views: { inputs: "read encoded", output: "write" },
  work: ({ body, space }) => ({ flops: (operationsOf(body) + 1) * sizeOf(space) }),
  shapes: ({ space, output }) => `[${space}] -> [${output.shape}]`,
  detail: ({ body, kind, result }) => `  ${spell(body)} -> ${kind}(%${result})`,
}
