import { sizeOf } from "../../core/tensor/shape.ts"
import { operationsOf, spell } from "../analysis.ts"
import type { Kernel } from "../kernel.ts"
import type { RowsCall } from "./call.ts"

/** Fused elementwise work with reductions along the last axis. */
export const rows: Kernel<RowsCall> = {
  name: "rows",
  views: { inputs: "read encoded", outputs: "write" },
  inPlace: true,
  work: ({ body, space }) => ({ flops: operationsOf(body) * sizeOf(space) }),
  shapes: ({ space }) => `[${space}]`,
  detail: ({ body, outputs }) => `  ${spell(body)} -> ${outputs.map(({ step }) => `%${step}`).join(", ")}`,
}
