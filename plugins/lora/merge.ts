/**
 * Adapters into base weights and out again, on the engine.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
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

/** W + scale B A, in place. Fails, and changes nothing, when that is not finite anywhere. */
export function merge(model: Model, options: ResolvedOptions): Effect.Effect<void, ModelError | BackendError> {
  const { id } = options
  return Effect.gen(function* () {
    if (model.merged.has(id)) return yield* unsupported(`${id} is merged already`)
    const targets = yield* targetsOf(model, options)
    const sums = targets.map(({ weight, delta }) => ops.sum(ops.mul(ops.add(weight.tensor, delta), 0)))
    const check = sums.reduce((a, b) => ops.add(a, b))
    const results = yield* runOnce(model, { name: `check the merge of ${id}`, outputs: { check }, updates: [] })
    // Zero times anything finite is zero.
    if (results.check[0] !== 0) {
      return yield* unsupported(`${id}: merged weights would not be finite; nothing was changed`)
    }
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

/** Writes the merged model as a checkpoint; the model in memory is then, bit for bit, as it was. */
export function saveMerged(
  model: Model,
  options: ResolvedOptions,
  directory: string,
  checkpoint: CheckpointOptions,
): Effect.Effect<void, ModelError | BackendError | SafetensorsError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    if (model.merged.has(options.id)) return yield* saveCheckpoint(model, directory, checkpoint)
    const targets = yield* targetsOf(model, options)
    const before: Float32Array[] = []
    for (const { weight } of targets) {
      before.push(yield* inBackend(async () => await model.backend.read(weight.slot) as Float32Array))
    }
    const restore = inBackend(async () => {
      for (const [i, { weight }] of targets.entries()) await model.backend.write(weight.slot, before[i])
      model.merged.delete(options.id)
    })
    yield* merge(model, options).pipe(
      Effect.andThen(saveCheckpoint(model, directory, checkpoint)),
      Effect.ensuring(Effect.orDie(restore)),
    )
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
  return Effect.asVoid(runOnce(model, { name, outputs: {}, updates }))
}

function runOnce(model: Model, graph: Graph): Effect.Effect<Readonly<Record<string, ArrayLike<number>>>, BackendError> {
  return inBackend(async () => {
    const executable = await model.backend.compile(build(graph))
    try {
      return await executable.run({})
    } finally {
      executable.dispose()
    }
  })
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
