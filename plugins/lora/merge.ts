/**
 * Adapters into base weights and out again, on the engine.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendService, Executable, Slot } from "../../core/backend/backend.ts"
import { BackendError } from "../../core/backend/backend_error.ts"
import type { SafetensorsError } from "../../core/formats/safetensors_error.ts"
import type { StorageError } from "../../core/formats/storage_error.ts"
import { encodingOf } from "../../kernels/encodings.ts"
import { build, type Graph } from "../../core/graph/build.ts"
import { type CheckpointOptions, type Model, type ModelParameter, saveCheckpoint } from "../../core/model/mod.ts"
import { ModelError } from "../../core/model/model_error.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { A, EMBEDDING_A, EMBEDDING_B, type LowRank, lowRankWeight, MAGNITUDE, rowFactors } from "./low_rank.ts"
import { type ResolvedOptions, startsFromBase } from "./options.ts"
import { rankAndScale } from "./targets.ts"

/** A base weight and what becomes of it. */
interface Target {
  readonly weight: ModelParameter
  readonly merged: Tensor
  /** DoRA's factors of rows by adapter's id, from the weight before the merge. */
  readonly factors: ReadonlyMap<string, Tensor>
}

/** What it takes to undo merges: ids merged together, and DoRA's factors by adapter and module. */
interface Merge {
  readonly ids: ReadonlyArray<string>
  readonly factors: ReadonlyMap<string, Float32Array>
}

const merges = new WeakMap<Model, ReadonlyArray<Merge>>()
const factorKey = (id: string, module: string): string => `${id}:${module}`

/**
 * W + the adapters' updates, in place: each update counts from W, as it does beside it. Fails, and changes nothing, when
 * that is not finite anywhere, or where W is kept in 16 bits: they would not hold the sum.
 */
export function merge(
  model: Model,
  adapters: ReadonlyArray<ResolvedOptions>,
): Effect.Effect<void, ModelError | BackendError> {
  const id = adapters.map(({ id }) => id).join(", ")
  return Effect.gen(function* () {
    for (const { id } of adapters) if (model.merged.has(id)) return yield* unsupported(`${id} is merged already`)
    const targets = yield* targetsOf(model, adapters)
    const narrow = targets.find(({ weight }) => (weight.slot.storage ?? "f32") !== "f32")?.weight
    if (narrow !== undefined) {
      return yield* unsupported(
        `${id}: "${narrow.key}" is kept in ${
          encodingOf(narrow.slot.storage).name
        }, which would round what is merged into it; ` +
          'load the model with weights: "f32", or save it merged without merging it here',
      )
    }
    yield* checkFinite(model, id, targets)
    const outputs = Object.fromEntries(
      targets.flatMap(({ weight: { module }, factors }) =>
        [...factors].map(([id, tensor]) => [factorKey(id, module), tensor] as const)
      ),
    )
    const updates = targets.map(({ weight, merged }) => [weight.slot, merged] as const)
    const graph = { name: `merge ${id}`, outputs, updates }
    const found = yield* inBackend(() => runOnce(model.backend, graph))
    const done = {
      ids: adapters.map(({ id }) => id),
      factors: new Map(Object.entries(found) as Array<[string, Float32Array]>),
    }
    merges.set(model, [...merges.get(model) ?? [], done])
    for (const { id } of adapters) model.merged.add(id)
  })
}

/**
 * Takes merged adapters out again, in place; equal to the weights before up to rounding. Where DoRA is at work, those that
 * were merged together are taken out together.
 */
export function unmerge(
  model: Model,
  adapters: ReadonlyArray<ResolvedOptions>,
): Effect.Effect<void, ModelError | BackendError> {
  const ids = adapters.map(({ id }) => id)
  return Effect.gen(function* () {
    for (const id of ids) if (!model.merged.has(id)) return yield* unsupported(`${id} is not merged`)
    const all = merges.get(model)!
    const touched = all.filter((one) => one.ids.some((id) => ids.includes(id)))
    const left = touched.find((one) => one.factors.size > 0 && !one.ids.every((id) => ids.includes(id)))
    if (left !== undefined) {
      return yield* unsupported(`${left.ids.join(", ")} were merged together with DoRA; unmerge them together`)
    }
    const factors = new Map(touched.flatMap((one) => [...one.factors]))
    const updates = modulesOf(model, adapters).map(({ weight, own }) => {
      // W' = c W + D, row by row.
      let [factor, rest]: [Tensor, Tensor] = [ops.full(1), ops.full(0)]
      for (const { id, lowRank } of own) {
        const values = factors.get(factorKey(id, weight.module))
        const update = lowRankWeight(lowRank)
        if (values === undefined) rest = ops.add(rest, update)
        else {
          const column = ops.constant(values, [values.length, 1])
          factor = ops.add(factor, ops.sub(column, 1))
          rest = ops.add(rest, ops.mul(update, column))
        }
      }
      return [weight.slot, ops.div(ops.sub(weight.tensor, rest), factor)] as const
    })
    yield* inBackend(() => runOnce(model.backend, { name: `unmerge ${ids.join(", ")}`, outputs: {}, updates }))
    const kept = all.map((one) => ({ ...one, ids: one.ids.filter((id) => !ids.includes(id)) }))
    merges.set(model, kept.filter((one) => one.ids.length > 0))
    for (const id of ids) model.merged.delete(id)
  })
}

/** Writes the merged model as a checkpoint, exactly whatever its weights are kept in; the model in memory stays as it is. */
export function saveMerged(
  model: Model,
  adapters: ReadonlyArray<ResolvedOptions>,
  directory: string,
  checkpoint: CheckpointOptions,
): Effect.Effect<void, ModelError | BackendError | SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const open = adapters.filter(({ id }) => !model.merged.has(id))
    if (open.length === 0) return yield* saveCheckpoint(model, directory, checkpoint)
    const ids = open.map(({ id }) => id)
    const targets = yield* targetsOf(model, open)
    yield* checkFinite(model, ids.join(", "), targets)
    const byId = new Map(targets.map(({ weight, merged }) => [weight.slot, merged]))
    const { backend } = model
    const read = async (slot: Slot) => {
      const weight = byId.get(slot)
      if (weight === undefined) return await backend.read(slot)
      return (await runOnce(backend, { name: `merge ${slot.name}`, outputs: { weight }, updates: [] })).weight
    }
    const seen = { ...model, merged: new Set([...model.merged, ...ids]), backend: { ...backend, read } }
    yield* saveCheckpoint(seen, directory, checkpoint)
  })
}

/** Fails when a merged weight would not be finite. */
function checkFinite(
  model: Model,
  id: string,
  targets: ReadonlyArray<Target>,
): Effect.Effect<void, ModelError | BackendError> {
  return Effect.gen(function* () {
    const check = targets.map(({ merged }) => ops.sum(ops.mul(merged, 0))).reduce((a, b) => ops.add(a, b))
    const graph = { name: `check the merge of ${id}`, outputs: { check }, updates: [] }
    const results = yield* inBackend(() => runOnce(model.backend, graph))
    // Zero times anything finite is zero.
    if (results.check[0] !== 0) {
      yield* unsupported(`${id}: merged weights would not be finite; nothing was changed`)
    }
  })
}

/** A base weight with the adapters at it. */
interface Adapted {
  readonly weight: ModelParameter
  readonly own: ReadonlyArray<{ readonly id: string; readonly dora: boolean; readonly lowRank: LowRank }>
}

/** The weights that adapters change. An embedding's update has its parameters in the same places. */
function modulesOf(model: Model, adapters: ReadonlyArray<ResolvedOptions>): ReadonlyArray<Adapted> {
  const byKey = new Map(model.parameters.map((parameter) => [parameter.key, parameter]))
  const infos = new Map(model.modules.map((info) => [info.path, info]))
  const found = new Map<string, Array<Adapted["own"][number]>>()
  for (const options of adapters) {
    const { id, useDora } = options
    for (const { owner, module, name } of model.parameters) {
      if (owner !== id || (name !== A && name !== EMBEDDING_A)) continue
      const tensor = (own: string) => byKey.get(`${id}:${module}.${own}`)!.tensor
      const lowRank: LowRank = {
        scale: rankAndScale(options, infos.get(module) ?? { path: module }).scale,
        fromBase: startsFromBase(options),
        // An embedding's table has the rows that a Linear's weight has as columns.
        parameter: name === A ? tensor : (own) => ops.transpose(tensor(own === A ? EMBEDDING_B : EMBEDDING_A)),
      }
      found.set(module, [...found.get(module) ?? [], { id, dora: useDora, lowRank }])
    }
  }
  return [...found].map(([module, own]) => ({ weight: byKey.get(`${module}.weight`)!, own }))
}

function targetsOf(
  model: Model,
  adapters: ReadonlyArray<ResolvedOptions>,
): Effect.Effect<ReadonlyArray<Target>, ModelError> {
  const ids = adapters.map(({ id }) => id)
  const tied = new Set([...Object.keys(model.network.tied), ...Object.values(model.network.tied)])
  const modules = modulesOf(model, adapters)
  const own = adapters.find(({ id, ownModules }) => ownModules && model.parameters.some(({ owner }) => owner === id))
  if (own !== undefined) {
    return unsupported(`${own.id} has modules of its own, which cannot be merged; load it without ownModules`)
  }
  for (const { weight: { key, module }, own } of modules) {
    if (tied.has(key)) {
      return unsupported(`${ids.join(", ")}: "${key}" is tied to another weight; merging would change both`)
    }
    // DoRA's update rests on W: neither may W change under it, nor may it see a W that was changed.
    const beside = model.parameters.filter((p) => p.module === module && p.name === A && !ids.includes(p.owner))
    const rests = (id: string) => model.parameters.some(({ key }) => key === `${id}:${module}.${MAGNITUDE}`)
    const other = beside.find(({ owner }) => own.some(({ dora }) => dora) || rests(owner))?.owner
    if (other !== undefined) {
      return unsupported(
        `${ids.join(", ")} and ${other} both change "${key}", and DoRA's update rests on that weight; ` +
          `merge all of its adapters together${model.merged.has(other) ? ", after unmerging" : ""}`,
      )
    }
  }
  const targets = modules.map(({ weight, own }): Target => {
    const factors = new Map<string, Tensor>()
    let merged = weight.tensor
    for (const { id, dora, lowRank } of own) {
      const update = lowRankWeight(lowRank)
      if (!dora) merged = ops.add(merged, update)
      else {
        const factor = rowFactors(weight.tensor, lowRank)
        const column = ops.reshape(factor, [...factor.shape, 1])
        factors.set(id, factor)
        const whole = ops.mul(ops.add(weight.tensor, update), column)
        merged = own.length === 1 ? whole : ops.add(merged, ops.sub(whole, weight.tensor))
      }
    }
    return { weight, merged, factors }
  })
  return targets.length === 0 ? unsupported(`the model has no adapter ${ids.join(", ")}`) : Effect.succeed(targets)
}

async function runOnce(backend: BackendService, graph: Graph): ReturnType<Executable["run"]> {
  const executable = await backend.compile(build(graph))
  try {
    return await executable.run({})
  } finally {
    executable.dispose()
  }
}

function inBackend<A>(run: () => Promise<A>): Effect.Effect<A, BackendError> {
  return Effect.tryPromise({
    try: run,
    catch: (cause) =>
      cause instanceof BackendError
        ? cause
        : new BackendError({ reason: "Run", message: (cause as Error).message, cause }),
  })
}

function unsupported(message: string): Effect.Effect<never, ModelError> {
  return Effect.fail(new ModelError({ reason: "Unsupported", message }))
}
