/**
 * Compiled programs, kept for later calls.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { BackendService } from "../backend/backend.ts"
import { type Ready, ready } from "../backend/ready.ts"
import type { Graph } from "../graph/build.ts"
import type { Model } from "../model/model.ts"
import { ModelError } from "../model/model_error.ts"

/** Programs by name. */
export interface Programs {
  /** The program of a name, compiled when it is first asked for. The name says all that the graph depends on. */
  readonly get: (name: string, graph: () => Graph) => Promise<Ready>
  /** Frees all programs. */
  readonly clear: () => void
}

/** An empty cache. */
export function makePrograms(backend: BackendService): Programs {
  const made = new Map<string, Promise<Ready>>()
  return {
    get: (name, graph) => {
      const found = made.get(name)
      if (found !== undefined) return found
      // An async function: a graph that cannot be built is a rejection too. A failure is not kept.
      const program = (async () => await ready(backend, graph()))()
      program.catch(() => made.delete(name))
      made.set(name, program)
      return program
    },
    clear: () => {
      for (const program of made.values()) program.then(({ dispose }) => dispose(), () => {})
      made.clear()
    },
  }
}

/**
 * A value for each model, or view of one, and options: made when it is first asked for, freed with the model. Throws
 * {@link ModelError} where the model's scope is closed.
 */
export function perModel<A, Options = undefined>(
  make: (model: Model, options: Options) => A,
  free: (value: A) => void,
): (model: Model, options: Options) => A {
  const all = new WeakMap<Model, Map<string, A>>()
  return (model, options) => {
    const own = all.get(model) ?? new Map<string, A>()
    if (!all.has(model)) {
      let closed = false
      Effect.runSync(Scope.addFinalizer(
        model.scope,
        Effect.sync(() => {
          closed = true
          own.forEach(free)
        }),
      ))
      if (closed) {
        const message = "the scope of this model, or view of one, is closed: use it in the scope that it was made in"
        throw new ModelError({ reason: "Unsupported", message })
      }
      all.set(model, own)
    }
    const name = JSON.stringify(options) ?? ""
    const value = own.get(name) ?? make(model, options)
    own.set(name, value)
    return value
  }
}

const programs = perModel(({ backend }) => makePrograms(backend), ({ clear }) => clear())

/** The programs of a model, or view of one, that use no memory but the model's own. Freed with the model. */
export const programsOf = (model: Model): Programs => programs(model, undefined)
