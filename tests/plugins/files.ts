/**
 * Models and files in tests of methods.
 * @module
 */
import * as Effect from "effect/Effect"
import { parseHeader } from "../../core/formats/safetensors/safetensors.ts"
import type { Model } from "../../core/model/mod.ts"
import { runOnce } from "../../core/model/sites/run_once.ts"
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

/** Logits of one row, computed on the model's own backend. */
export function computedLogits(model: Model, row: ReadonlyArray<number> = tokens): Effect.Effect<Float32Array> {
  return Effect.promise(async () => {
    const batch = {
      tokens: ops.constant(Int32Array.from(row), [1, row.length]),
      lengths: ops.full(row.length, [1], "i32"),
      fields: {},
      exampleWeight: ops.full(1, [1]),
      task: "default",
    }
    const outputs = { logits: model.forward(batch, { training: false }).logits }
    return (await runOnce(model.backend, { name: "logits", outputs, updates: [] })).logits as Float32Array
  })
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
