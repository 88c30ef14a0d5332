import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { layerWith as backendWith } from "../../core/backend/auto.ts"
import { Backend } from "../../core/backend/backend.ts"
import { layer as plugins, type Plugins } from "../../core/contracts/plugins.ts"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import { type Engine, wrongWriter } from "../../core/inference/engine.ts"
import { engine } from "../../core/inference/open_engine.ts"
import { type Families, layer as registry } from "../../core/model/load/families.ts"
import { load, type LoadError } from "../../core/model/load/load.ts"
import type { Model } from "../../core/model/model.ts"
import { ModelError } from "../../core/model/model_error.ts"
import type { TaskOf } from "../../core/tasks/task.ts"
import type { Place } from "./files/place.ts"
import { placeFiles } from "./files/place_files.ts"
import type { LoadOptions } from "./options.ts"
import { type Prompts, promptsOf } from "./prompts.ts"
import { type Runtime, runtimeOf } from "./runtime.ts"
import { tasksOf } from "./task_of.ts"

/** Folder of the model. */
export const MODEL = "model"

/** What models need. */
export type Services = Backend | Families | FileSystem.FileSystem | Plugins

/** A model in memory, without adapters. */
export interface Opened {
  readonly runtime: Runtime<Services>
  readonly model: Model
  readonly prompts: Prompts
  readonly does: "generate" | "classify" | "embed"
  /** One line: what computes. */
  readonly backend: string
}

/** The model for the first of some tasks that its family has a head for: others are refused before weights are read. */
const loadFor = (
  [task, ...others]: ReadonlyArray<TaskOf>,
  weights: LoadOptions["weights"] = "stored",
): Effect.Effect<Model, LoadError, Services | Scope.Scope> =>
  load(MODEL, { task, frozen: true, weights }).pipe(
    Effect.catchIf(
      (error) => others.length > 0 && error instanceof ModelError && error.reason === "Task",
      () => loadFor(others, weights),
    ),
  )

/** Opens the model of its folder in some places. */
export async function openModel(
  places: ReadonlyMap<string, Place>,
  { backend, wasm, labels, weights }: LoadOptions,
  signal: AbortSignal,
): Promise<Opened> {
  const { families } = await import("../families/mod.ts")
  const machine = Layer.mergeAll(
    plugins,
    registry,
    backendWith({ ...(backend === undefined ? {} : { backend }), ...(wasm === undefined ? {} : { wasm }) }),
    Layer.succeed(fileSystem, placeFiles(places)),
  )
  const runtime = await runtimeOf(families.pipe(Layer.provideMerge(machine)), signal)
  const open = Effect.gen(function* () {
    const { info } = yield* Backend
    const { classifies, tasks } = yield* tasksOf(MODEL, labels)
    const model = yield* loadFor(tasks, weights)
    const writes = wrongWriter(model) === undefined
    const does: Opened["does"] = writes ? "generate" : classifies ? "classify" : "embed"
    return { runtime, model, prompts: yield* promptsOf(model), does, backend: info.description }
  })
  try {
    return (await runtime.hold(open, signal)).value
  } catch (error) {
    await runtime.close()
    throw error
  }
}

/** A model that answers, with adapters or without. */
export interface Answering {
  readonly model: Model
  /** Where the model writes texts. */
  readonly engine?: Engine
}

/** The model itself, or the one that `make` makes of it, ready to answer. */
export const answering = <E, R>({ does }: Opened, make: Effect.Effect<Model, E, R>) =>
  Effect.gen(function* () {
    const model = yield* make
    const writer = does === "generate" ? { engine: yield* engine(model) } : {}
    return { model, ...writer } satisfies Answering
  })
