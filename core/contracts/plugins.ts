/**
 * The registry of contributions.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Contribution } from "./contribution.ts"
import { PluginError } from "./plugin_error.ts"

/** The operations of the registry. */
export interface PluginsService {
  /** Adds a contribution until the scope closes. */
  readonly register: (contribution: Contribution) => Effect.Effect<void, PluginError, Scope.Scope>
  /** All contributions, ordered by `after`, then by id. The order of building layers does not matter. */
  readonly all: Effect.Effect<ReadonlyArray<Contribution>, PluginError>
}

/** Type of the registry's key. */
export interface Plugins {
  /** Identifier. */
  readonly "~espalier/Plugins": "~espalier/Plugins"
}
/** Key of the registry. */
export const Plugins: Context.Service<Plugins, PluginsService> = Context.Service<Plugins, PluginsService>(
  "@espalier/espalier/Plugins",
)

/** An empty registry. */
export const layer: Layer.Layer<Plugins> = Layer.sync(Plugins, () => {
  const all = new Map<string, Contribution>()
  return {
    register: (contribution) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          if (all.has(contribution.id)) {
            const message = `Two plugins have the id "${contribution.id}"; give one of them another name`
            return Effect.fail(new PluginError({ plugin: contribution.id, message }))
          }
          all.set(contribution.id, contribution)
          return Effect.void
        }),
        () => Effect.sync(() => all.delete(contribution.id)),
      ).pipe(Effect.asVoid),
    all: Effect.suspend(() => sort([...all.values()])),
  }
})

/** Stable topological sort; ties are broken by id, so the same set always gives the same pipeline. */
function sort(all: ReadonlyArray<Contribution>): Effect.Effect<ReadonlyArray<Contribution>, PluginError> {
  const out: Contribution[] = []
  const open = new Set<Contribution>()
  const byId = all.toSorted((a, b) => a.id < b.id ? -1 : 1)
  const visit = (contribution: Contribution): void => {
    if (out.includes(contribution)) return
    if (open.has(contribution)) {
      const ids = [...open].map((c) => c.id).join(", ")
      throw new PluginError({ plugin: contribution.id, message: `\`after\` runs in a circle among: ${ids}` })
    }
    open.add(contribution)
    for (const name of contribution.after ?? []) {
      for (const other of byId) {
        if (other !== contribution && (other.id === name || other.id.startsWith(`${name}/`))) visit(other)
      }
    }
    open.delete(contribution)
    out.push(contribution)
  }
  return Effect.try({
    try: () => {
      byId.forEach(visit)
      return out
    },
    catch: (cause) => cause as PluginError,
  })
}

/**
 * What the contributions of one method hold, by name. The function that it gives adds a value, and reads those of all
 * contributions that are registered: every layer of the method provides the same collection.
 */
export function collection<A>(): (
  contribution: Contribution,
  name: string,
  value: A,
) => Effect.Effect<Effect.Effect<ReadonlyMap<string, A>, PluginError>, never, Plugins> {
  const values = new WeakMap<Contribution, readonly [name: string, value: A]>()
  return (contribution, name, value) =>
    Effect.map(Effect.service(Plugins), ({ all }) => {
      values.set(contribution, [name, value])
      return Effect.map(all, (all) => new Map(all.flatMap((one) => values.has(one) ? [values.get(one)!] : [])))
    })
}

/** A plugin's layer: `make` returns the provided service and the contribution. */
export function plugin<I, S, E, R>(
  key: Context.Key<I, S>,
  make: Effect.Effect<readonly [service: S, contribution: Contribution], E, R>,
): Layer.Layer<I, E | PluginError, Plugins | Exclude<R, Scope.Scope>> {
  return Layer.effect(
    key,
    Effect.gen(function* () {
      const plugins = yield* Plugins
      const [service, contribution] = yield* make
      yield* plugins.register(contribution)
      return service
    }),
  )
}
