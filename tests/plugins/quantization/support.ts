/**
 * A tiny language model in files, and programs with it.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Espalier, Model, type PluginError, type Plugins, Task } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"

/** Config of the model. */
export const CONFIG = {
  model_type: "llama",
  vocab_size: 48,
  hidden_size: 64,
  intermediate_size: 192,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  initializer_range: 0.3,
  tie_word_embeddings: true,
}

type Base = Layer.Success<typeof Espalier.layer> | Layer.Success<typeof Llama.layer>

/** Runs a program with plugins on the CPU. */
export function run<A, E, P>(
  program: Effect.Effect<A, E, Base | P | Scope.Scope>,
  plugins: Layer.Layer<P, PluginError, Plugins.Plugins>,
): Promise<A> {
  const base = Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })
  const all = Layer.mergeAll(Llama.layer, plugins).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A, E>)
}

/** Makes the model's files, and removes them after the test. */
export async function withModel(
  body: (directory: string) => Promise<void>,
  config: object = {},
): Promise<void> {
  const directory = await Deno.makeTempDir()
  try {
    await run(
      Effect.gen(function* () {
        const model = yield* Model.initialize({ ...CONFIG, ...config }, { task: Task.causalLM() })
        yield* Model.saveCheckpoint(model, directory)
      }),
      Layer.empty as Layer.Layer<never>,
    )
    await body(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

/** The message of a program that must fail. */
export async function failureOf<A, E, P>(
  program: Effect.Effect<A, E, Base | P | Scope.Scope>,
  plugins: Layer.Layer<P, PluginError, Plugins.Plugins>,
): Promise<string> {
  try {
    await run(program, plugins)
  } catch (error) {
    return `${(error as { readonly _tag: string })._tag}: ${(error as Error).message}`
  }
  throw new Error("It did not fail")
}

/** The largest difference of two lists. */
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length ? Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]))) : Infinity
