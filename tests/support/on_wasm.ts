/**
 * Models in tests of quantized weights: on the CPU, whose memory keeps encodings.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../core/backend/backend.ts"
import * as Wasm from "../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../core/contracts/plugins.ts"
import { type Families, layer as familiesLayer } from "../../core/model/load/families.ts"
import { initialize, type Model, saveCheckpoint } from "../../core/model/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import * as Llama from "../../plugins/llama/mod.ts"

/** What {@link onWasm} provides, beside what the test's own layers do. */
export type Base = Backend | Plugins | Families | FileSystem.FileSystem

/** Runs an effect with these plugins and Llama models, on a backend of one thread. */
export function onWasm<A, E, P = never>(
  effect: Effect.Effect<A, E, Base | P | Scope.Scope>,
  plugins: Layer.Layer<P, unknown, Base> = Layer.empty as unknown as Layer.Layer<P>,
): Promise<A> {
  const services = Layer.mergeAll(Wasm.layer({ threads: 1 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.merge(plugins, Llama.layer).pipe(Layer.provideMerge(services))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A>)
}

/** Writes a small Llama model with random weights, all of whose rows are whole blocks of 32. */
export async function writeModel(directory: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const config = {
    model_type: "llama",
    vocab_size: 20,
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    max_position_embeddings: 16,
    initializer_range: 0.2,
    ...more,
  }
  await onWasm(
    Effect.flatMap(initialize(config, { task: Task.causalLM(), seed: 3 }), (model) => saveCheckpoint(model, directory)),
  )
}

/** Gives parameters of plugins other numbers: none is zero, so that all have an effect. */
export function shake({ parameters, backend }: Model, size: number): Effect.Effect<void> {
  return Effect.promise(async () => {
    for (const [i, { owner, shape, slot }] of parameters.entries()) {
      if (owner === "base") continue
      const length = shape.reduce((a, b) => a * b, 1)
      await backend.write(slot, Float32Array.from({ length }, (_, j) => size * Math.sin(1.7 * j + i + 1)))
    }
  })
}
