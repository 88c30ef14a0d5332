import * as ops from "../../tensor/ops.ts"
import type { Module } from "../module.ts"

/** What an {@link embedding} needs. */
export interface EmbeddingOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Number of indices. */
  readonly rows: number
  /** Width of a row. */
  readonly width: number
  /** Standard deviation of a new table. */
  readonly std: number
}

/** Rows of a table: indices i32 [...] to [..., width]. */
export function embedding({ path, rows, width, std }: EmbeddingOptions): Module {
  const self: Module = {
    path,
    kind: "Embedding",
    sizes: { rows, width },
    parameters: { weight: { shape: [rows, width], initializer: { kind: "normal", std } } },
    children: [],
    outputHead: false,
    forward: (scope, indices) => ops.gather(scope.parameter(self, "weight"), indices),
  }
  return self
}
