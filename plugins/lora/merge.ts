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
import { build, type Graph } from "../../core/graph/build.ts"
import { type CheckpointOptions, type Model, type ModelParameter, saveCheckpoint } from "../../core/model/model.ts"
import { ModelError } from "../../core/model/model_error.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { ResolvedOptions } from "./options.ts"
import { rankAndScale } from "./targets.ts"

/** A base weight and what the adapter adds to it. */
interface Target {
  readonly weight: ModelParameter
  readonly delta: Tensor
}

/**
 * W + scale B A, in place. Fails, and changes nothing, when that is not finite anywhere, or where W is kept in 16 bits:
 * they would not hold the sum.
 */
export function merge(model: Model, options: ResolvedOptions): Effect.Effect<void, ModelError | BackendError> {
  const { id } = options
  return Effect.gen(function* () {
    if (model.merged.has(id)) return yield* unsupported(`${id} is merged already`)
    const targets = yield* targetsOf(model, options)
    const narrow = targets.find(({ weight }) => (weight.slot.storage ?? "f32") !== "f32")?.weight
    if (narrow !== undefined) {
      return yield* unsupported(
        `${id}: "${narrow.key}" is kept in ${narrow.slot.storage}, which would round what is merged into it; ` +
          'load the model with weights: "f32", or save it merged without merging it here',
      )
    }
    yield* checkFinite(model, options, targets)
    yield* update(model, `merge ${id}`, targets, ops.add)
    model.merged.add(id)
  })
}

/** Takes a merged adapter out again: W - scale B A, in place; equal to the weights before up to rounding. */
export function unmerge(model: Model, options: ResolvedOptions): Effect.Effect<void, ModelError | BackendError> {
  const { id } = options
  return Effect.gen(function* () {
    if (!model.merged.has(id)) return yield* unsupported(`${id} is not merged`)
    yield* update(model, `unmerge ${id}`, yield* targetsOf(model, options), ops.sub)
    model.merged.delete(id)
  })
}

/** Writes the merged model as a checkpoint, exactly whatever its weights are kept in; the model in memory stays as it is. */
export function saveMerged(
  model: Model,
  options: ResolvedOptions,
  directory: string,
  checkpoint: CheckpointOptions,
): Effect.Effect<void, ModelError | BackendError | SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { id } = options
    if (model.merged.has(id)) return yield* saveCheckpoint(model, directory, checkpoint)
    const targets = yield* targetsOf(model, options)
    yield* checkFinite(model, options, targets)
    const merged = new Map(targets.map(({ weight, delta }) => [weight.slot, ops.add(weight.tensor, delta)]))
    const { backend } = model
    const read = async (slot: Slot) => {
      const weight = merged.get(slot)
      if (weight === undefined) return await backend.read(slot)
      return (await runOnce(backend, { name: `merge ${slot.name}`, outputs: { weight }, updates: [] })).weight
    }
    const seen = { ...model, merged: new Set(model.merged).add(id), backend: { ...backend, read } }
    yield* saveCheckpoint(seen, directory, checkpoint)
  })
}

/** Fails when a merged weight would not be finite. */
function checkFinite(
  model: Model,
  { id }: ResolvedOptions,
  targets: ReadonlyArray<Target>,
): Effect.Effect<void, ModelError | BackendError> {
  return Effect.gen(function* () {
    const sums = targets.map(({ weight, delta }) => ops.sum(ops.mul(ops.add(weight.tensor, delta), 0)))
    const check = sums.reduce((a, b) => ops.add(a, b))
    const graph = { name: `check the merge of ${id}`, outputs: { check }, updates: [] }
    const results = yield* inBackend(() => runOnce(model.backend, graph))
    // Zero times anything finite is zero.
    if (results.check[0] !== 0) {
      yield* unsupported(`${id}: merged weights would not be finite; nothing was changed`)
    }
  })
}

function targetsOf(model: Model, options: ResolvedOptions): Effect.Effect<ReadonlyArray<Target>, ModelError> {
  const { id } = options
  const byKey = new Map(model.parameters.map((parameter) => [parameter.key, parameter]))
  const tied = new Set([...Object.keys(model.network.tied), ...Object.values(model.network.tied)])
  const targets: Target[] = []
  for (const { owner, module, name, tensor } of model.parameters) {
    if (owner !== id || !name.endsWith("_A")) continue
    const key = `${module}.weight`
    if (tied.has(key)) return unsupported(`${id}: "${key}" is tied to another weight; merging would change both`)
    const up = byKey.get(`${id}:${module}.${name.slice(0, -1)}B`)!.tensor
    const product = name === "lora_A"
      ? ops.matmul(up, tensor)
      : ops.matmul(tensor, up, { transposeA: true, transposeB: true })
    targets.push({ weight: byKey.get(key)!, delta: ops.mul(product, rankAndScale(options, module).scale) })
  }
  return targets.length === 0 ? unsupported(`the model has no adapter ${id}`) : Effect.succeed(targets)
}

function update(
  model: Model,
  name: string,
  targets: ReadonlyArray<Target>,
  combine: (weight: Tensor, delta: Tensor) => Tensor,
): Effect.Effect<void, BackendError> {
  const updates = targets.map(({ weight, delta }) => [weight.slot, combine(weight.tensor, delta)] as const)
  return Effect.asVoid(inBackend(() => runOnce(model.backend, { name, outputs: {}, updates })))
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
