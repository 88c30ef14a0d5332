import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BackendService, Slot } from "../../backend/backend.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import { attempt } from "../../contracts/attempt.ts"
import type { BankMethod } from "../../contracts/bank/bank_method.ts"
import { PluginError } from "../../contracts/plugin_error.ts"
import { severalTasks } from "../../model/heads/model_task.ts"
import { makeModel } from "../../model/make_model.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"
import { baseKey } from "../../model/module.ts"
import { artifactContext, baseParameters } from "../../model/sites/adapters.ts"
import { placesBefore, resolveSites, type SiteTable } from "../../model/sites/sites.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { type BankLayout, layoutOf } from "./layout.ts"
import { makeBank } from "./make_bank.ts"

/** The model with an empty bank: see `withAdapters` of `open_bank.ts`. */
export function makeWithAdapters(
  model: Model,
  method: BankMethod,
): Effect.Effect<Model, ModelError | PluginError | BackendError, Scope.Scope> {
  return Effect.gen(function* () {
    const { backend, tasks, tied, network } = model
    const wrong = severalTasks(model, "withAdapters") ??
      (model.bank === undefined ? undefined : "the model has a bank of adapters already")
    if (wrong !== undefined) return yield* new ModelError({ reason: "Unsupported", message: wrong })
    const { id, slots } = method
    if (!Number.isSafeInteger(slots) || slots < 1) {
      const message = `slots must be a whole number from 1, got ${slots}`
      return yield* new ModelError({ reason: "Options", message })
    }
    const context = { ...artifactContext(model), ...baseParameters(model, id), tied }
    const sites = yield* method.sites(context)
    const table = yield* attempt(() => resolveSites(model.modules, [{ id, sites }]), PluginError)
    const maxPositions = network.maxPositions - placesBefore(table.byModule)
    if (maxPositions <= 0) {
      const message = `${id}: its prefixes leave no room in the model's ${network.maxPositions} positions`
      return yield* new PluginError({ plugin: id, message })
    }
    const layout = layoutOf(table.parameters, slots + 1)
    const pages = yield* Effect.acquireRelease(
      inBackend(() => allocated(backend, layout, slots + 1, `the bank of ${slots} adapters`)),
      (pages) => Effect.sync(() => pages.forEach((page) => backend.free(page))),
    )
    const base = yield* inBackend(() => baseValues(model, layout, table.byModule))
    yield* inBackend(() => Promise.all(pages.map((page, i) => backend.write(page, base[i]))))
    const [{ task: { labels = [] } }] = Object.values(tasks)
    const bank = makeBank({ backend, method, layout, sites: table.byModule, pages, base, context, labels })
    const scope = yield* Effect.scope
    const { merged, off, folded } = model
    return makeModel({ ...model, network: { ...network, maxPositions }, bank, scope }, { merged, off, folded })
  })
}

async function allocated(
  backend: BackendService,
  { widths }: BankLayout,
  rows: number,
  what: string,
): Promise<ReadonlyArray<Slot>> {
  const requests = widths.map((width, i) => ({
    name: `${what}, page ${i}`,
    shape: [rows, width],
    dtype: "f32" as const,
  }))
  await backend.checkRoom(requests, what)
  return requests.map(({ name, shape }) => backend.allocate(name, shape))
}

/** What rows without an adapter have: zeros, and the parameters of modules that a site stands in for. */
async function baseValues(
  { backend, parameters, tied }: Model,
  { widths, places }: BankLayout,
  sites: SiteTable["byModule"],
): Promise<ReadonlyArray<Float32Array>> {
  const pages = widths.map((width) => new Float32Array(width))
  const byKey = new Map(parameters.map((parameter) => [parameter.key, parameter]))
  for (const { parameter: { module, name, shape }, page, offset } of places.values()) {
    if (!sites.get(module)?.some(({ plan }) => plan.place === "replace" && name in plan.parameters)) continue
    const key = baseKey(module, name)
    const own = byKey.get(tied[key] ?? key)
    if (own === undefined || sizeOf(own.shape) !== sizeOf(shape)) continue
    pages[page].set(await backend.read(own.slot) as Float32Array, offset)
  }
  return pages
}
