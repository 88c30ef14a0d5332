/**
 * Models and files in tests of methods.
 * @module
 */
import { parseHeader } from "../../core/formats/safetensors/safetensors.ts"
import type { Model } from "../../core/model/mod.ts"
import * as ops from "../../core/tensor/ops.ts"
import { evaluate } from "../support/evaluate.ts"
import type { MemoryBackend } from "../support/memory_backend.ts"

/** A row. */
export const tokens: ReadonlyArray<number> = [3, 9, 4, 1, 7]

/** Logits of one row. */
export function logits(model: Model, backend: MemoryBackend, methods = true): ArrayLike<number> {
  const graph = model.forward({
    tokens: ops.constant(Int32Array.from(tokens), [1, tokens.length]),
    lengths: ops.full(tokens.length, [1], "i32"),
    fields: {},
    exampleWeight: ops.full(1, [1]),
    task: "",
  }, { training: false, methods })
  return evaluate(graph.logits, { slots: backend.slots })
}

/** Names and shapes in a file. */
export function shapesIn(path: string): Record<string, ReadonlyArray<number>> {
  const bytes = Deno.readFileSync(path)
  return Object.fromEntries(
    [...parseHeader(bytes, bytes.length, path).tensors].map(([name, { shape }]) => [name, shape]),
  )
}

/** A directory that is gone afterwards. */
export async function inDirectory<A>(use: (directory: string) => Promise<A>): Promise<A> {
  const directory = await Deno.makeTempDir()
  try {
    return await use(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}
