/**
 * What a model needs in tests: registries, files and a backend in memory.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../core/backend/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../core/contracts/plugins.ts"
import { Families, layer as familiesLayer } from "../../core/model/load/families.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { families } from "../../plugins/families/mod.ts"
import { type MemoryBackend, memoryBackend, memoryLayer } from "./memory_backend.ts"

/** What {@link run} provides, beside what the test's own layers do. */
export type Base = Backend | Plugins | Families | FileSystem.FileSystem

/** Runs an effect with the given plugins, all families and a backend in memory. */
export function run<A, E, P = never>(
  effect: Effect.Effect<A, E, Base | P | Scope.Scope>,
  plugins: Layer.Layer<P, PluginError, Base> = Layer.empty as unknown as Layer.Layer<P>,
  backend: MemoryBackend = memoryBackend(),
): Promise<A> {
  const base = Layer.mergeAll(memoryLayer(backend), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.mergeAll(plugins, families).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all)) as Effect.Effect<A, E | PluginError>)
}

/** Types of models that the families know, as errors list them. */
export const knownTypes = async (): Promise<string> =>
  [...(await run(Effect.flatMap(Families, ({ all }) => all))).keys()].sort().join(", ")

/** The error of an effect that must fail. */
export async function failure<E, P = never>(
  effect: Effect.Effect<unknown, E, Base | P | Scope.Scope>,
  plugins?: Layer.Layer<P, PluginError, Base>,
  backend?: MemoryBackend,
): Promise<{ readonly _tag: string; readonly message: string; readonly reason?: string }> {
  // The cause keeps errors of the layers too.
  try {
    await run(effect, plugins, backend)
  } catch (error) {
    return error as { readonly _tag: string; readonly message: string }
  }
  throw new Error("It did not fail")
}

/** A file beside the tests. */
export function fixture(name: string): string {
  return new URL(`../fixtures/${name}`, import.meta.url).pathname
}

/** The largest difference of two lists of the same length. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity
  let most = 0
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i])
    if (!(difference <= most)) most = difference
  }
  return most
}
