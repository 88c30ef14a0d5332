/**
 * What the tests share: programs on the CPU, and a model's logits in float64.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Espalier, Model, ops, type PluginError, type Plugins } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import * as Llama from "@espalier/espalier/llama"
import { evaluate } from "@espalier/espalier/plugin"

/** A file of this folder. */
export const testdata = (name: string): string => decodeURIComponent(new URL(name, import.meta.url).pathname)

/** Runs an effect with methods, both families and files, which are the machine's unless they are given. */
export function run<A, E, P>(
  effect: Effect.Effect<A, E, Espalier.Services | P | Scope.Scope>,
  methods: Layer.Layer<P, unknown, Espalier.Services>,
  files?: Map<string, Uint8Array>,
): Promise<A> {
  const base = Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 }, ...(files === undefined ? {} : { files }) })
  const all = Layer.mergeAll(methods, Bert.layer, Llama.layer).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all)))
}

/** No method. */
export const none: Layer.Layer<never, PluginError, Plugins.Plugins> = Layer.empty

/** A model's logits in float64, one after the other. */
export const logitsOf = (model: Model.Model, tokens: ReadonlyArray<ReadonlyArray<number>>) =>
  Effect.map(Model.readParameters(model, model.parameters), (values) => {
    const shape = [tokens.length, tokens[0].length]
    const integers = (name: string, shape: ReadonlyArray<number>) =>
      ops.input(name, shape, { dtype: "i32", batch: true })
    const { logits } = model.forward({
      tokens: integers("tokens", shape),
      lengths: integers("lengths", [shape[0]]),
      fields: {},
      exampleWeight: ops.input("exampleWeight", [shape[0]], { batch: true }),
      task: "default",
    }, { training: false })
    const slots = new Map(values.map(({ data }, i) => [model.parameters[i].slot.id, data]))
    return evaluate(logits, { inputs: { tokens: tokens.flat(), lengths: tokens.map((row) => row.length) }, slots })
  })

/** The largest difference of two lists. */
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(b, (x, i) => Math.abs(a[i] - x)).reduce(
    (most, x) => Math.max(most, x),
    a.length === b.length ? 0 : Infinity,
  )
