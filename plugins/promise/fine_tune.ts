import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import { BackendError } from "../../core/backend/backend_error.ts"
import type { TrainEvent } from "../../core/contracts/train_event.ts"
import { generate, type GenerateOptions } from "../../core/inference/generate.ts"
import type { Model } from "../../core/model/model.ts"
import { wrongArgument } from "../../core/options/argument.ts"
import { faultsOf } from "../../core/options/mod.ts"
import { decodeRunFile, layersOf, resolveRun, type RunSpec, type TrainedRun, trainRun } from "../../core/run/mod.ts"
import { embed } from "../../core/training/embed.ts"
import { layerWith, type Services } from "../../core/training/espalier.ts"
import { predict } from "../../core/training/evaluate.ts"
import { TrainingError } from "../../core/training/training_error.ts"
import { families, METHODS, READERS, REVIEWS } from "../all/mod.ts"
import * as Chat from "../chat/mod.ts"
import * as Hub from "../hub/mod.ts"
import type { FineTuned, OfTask } from "./fine_tuned.ts"
import { FINE_TUNE_OPTIONS, type FineTuneOptions } from "./options.ts"

/** Runs effects with the services of one run, until it is closed. */
interface Runtime {
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services | Scope.Scope>, signal?: AbortSignal) => Promise<A>
  readonly close: () => Promise<void>
}

/**
 * Fine-tunes a model as a run says: the object that a run file holds. Checks it before any work, trains, and writes
 * adapter, report, summary and checkpoints into the folder `output`. Relative paths count from the current folder.
 *
 * Rejects with the errors of this package as they are, each with its `_tag`: `RunFileError` (all faults of `run` in
 * `problems`), `TrainingError` (also wrong `options`), `DataError`, `ModelError`, `PluginError`, `RunFolderError`,
 * `StorageError`, `BackendError`, `HubError`, `SafetensorsError`, `GgufError`, `JsonError`; or with `signal.reason`.
 */
export async function fineTune(run: RunSpec, options: FineTuneOptions = {}): Promise<FineTuned> {
  const { signal, progress, resume = false, overwrite = false, methods: more, ...espalier } = checked(options)
  signal?.throwIfAborted()
  const methods = { ...METHODS, ...more }
  const spec = await Effect.runPromise(decodeRunFile(run, "the run", methods, READERS))
  const machine = layerWith(espalier)
  // Files in memory are all that a page has.
  const named = espalier.files === undefined ? Layer.provideMerge(Hub.layer(), machine) : machine
  const all = Layer.mergeAll(families, ...layersOf(spec.methods, methods)).pipe(Layer.provideMerge(named))
  const runtime = makeRuntime(all)
  try {
    const program = Effect.gen(function* () {
      const resolved = yield* Effect.flatMap(resolveRun(spec, "", READERS), Chat.prepared)
      const observe = progress && ((event: TrainEvent) => Effect.sync(() => progress(event)))
      const given = { resume, overwrite, reviews: REVIEWS, ...observe === undefined ? {} : { observe } }
      return { done: yield* trainRun(resolved, given), maxLength: resolved.training.maxLength }
    })
    const { done, maxLength } = await runtime.run(program, signal)
    return fineTuned(done, spec, maxLength, runtime)
  } catch (error) {
    await runtime.close()
    throw error
  }
}

function checked(options: FineTuneOptions): FineTuneOptions {
  const wrong = wrongArgument("options", options, { type: "object" })
  const faults = wrong === undefined ? faultsOf(FINE_TUNE_OPTIONS, options).map(({ message }) => message) : [wrong]
  if (faults.length === 0) return options
  throw new TrainingError({ reason: "Options", message: faults.join("; ") })
}

function makeRuntime<E>(layer: Layer.Layer<Services, E>): Runtime {
  const runtime = ManagedRuntime.make(layer)
  const scope = Effect.runSync(Scope.make())
  let closing: Promise<void> | undefined
  return {
    run: async (effect, signal) => {
      if (closing !== undefined) {
        throw new BackendError({ reason: "Lost", message: "The run was closed: use its results before close()" })
      }
      const exit = await runtime.runPromiseExit(Scope.provide(effect, scope), signal === undefined ? {} : { signal })
      if (Exit.isSuccess(exit)) return exit.value
      if (signal?.aborted && Cause.hasInterruptsOnly(exit.cause)) throw signal.reason
      throw Cause.squash(exit.cause)
    },
    // The model's memory is freed before the engine ends.
    close: () => closing ??= Effect.runPromise(Scope.close(scope, Exit.void)).finally(() => runtime.dispose()),
  }
}

/** The results of a run, over its model. */
function fineTuned(
  { model, parts: _, save, ...figures }: TrainedRun,
  { tasks, output }: RunSpec,
  maxLength: number,
  runtime: Runtime,
): FineTuned {
  const views = new Map<string, Model>()
  // Programs are compiled for a view, so each task has one.
  const viewOf = (task = tasks === undefined ? undefined : Object.keys(tasks)[0]): Model => {
    if (task === undefined) return model
    const view = views.get(task) ?? model.view({ task })
    views.set(task, view)
    return view
  }
  const continued = async (prompt: string | ReadonlyArray<string>, options: GenerateOptions & OfTask = {}) => {
    const { task, ...own } = options
    return await runtime.run(generate(viewOf(task), prompt as string, own))
  }
  return {
    ...figures,
    folder: output,
    predict: async (texts, { task, ...own } = {}) =>
      await runtime.run(predict(viewOf(task), texts, { maxLength, ...own })),
    generate: continued as FineTuned["generate"],
    embed: async (texts, { task, ...own } = {}) => await runtime.run(embed(viewOf(task), texts, { maxLength, ...own })),
    save: async (directory) => await runtime.run(save(directory)),
    close: runtime.close,
  }
}
