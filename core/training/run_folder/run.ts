import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../../backend/backend_error.ts"
import type { PluginError } from "../../contracts/plugin_error.ts"
import type { Metrics, RetainedScores, TrainStop } from "../../contracts/train_event.ts"
import type { DataError } from "../../data/data_error.ts"
import type { JsonError } from "../../formats/json/json_error.ts"
import type { SafetensorsError } from "../../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import type { Model } from "../../model/model.ts"
import type { ModelError } from "../../model/model_error.ts"
import { trainsWhole } from "../../model/load/trainable.ts"
import { saveAdapters, saveCheckpoint as saveModel } from "../../model/model_files.ts"
import type { Plan } from "../plan.ts"
import type { ReportData } from "../../report/report.ts"
import type { RunFolder } from "./run_folder.ts"
import type { RunFolderError } from "./run_folder_error.ts"
import type { TrainingError } from "../training_error.ts"

/** Errors of a run. */
export type TrainError =
  | TrainingError
  | DataError
  | BackendError
  | RunFolderError
  | StorageError
  | SafetensorsError
  | JsonError

/** Figures of a run. */
export interface RunAccount {
  /** Steps done. */
  readonly steps: number
  /** Step of the restored weights. */
  readonly bestStep?: number
  /** Seconds of the run, including those before a resume. */
  readonly seconds: number
  /** Peak resident memory in bytes; 0 if the runtime does not report it. */
  readonly peakMemoryBytes: number
  /** Number of trained parameters. */
  readonly trainableParameters: number
  /** Number of all parameters, including those of methods. */
  readonly totalParameters: number
  /** Figures of plugins at the end, if any has some. */
  readonly figures?: Metrics
  /** Scores on the rows of `retain` by name, before and after. */
  readonly forgetting?: Readonly<Record<string, RetainedScores>>
}

/** A completed run. */
export interface Run extends RunAccount {
  /** The model, with the best weights if there is a validation split, otherwise with the last. */
  readonly model: Model
  /** Why it ended. */
  readonly reason: TrainStop["reason"]
  /** The run folder, if there is one. */
  readonly folder?: RunFolder
  /** Writes `summary.json` into the run folder: the given results and the figures of the run. */
  readonly summarize: (results: Readonly<Record<string, unknown>>) => Effect.Effect<void, StorageError>
  /** Writes `report.html` into the run folder: the given data, the events and the configuration. */
  readonly report: (data: Omit<ReportData, "events" | "config">) => Effect.Effect<void, StorageError>
  /** Saves the plugins' adapters, or, without plugins, a checkpoint with the tokenizer's files; completely or not at all. */
  readonly save: (
    directory: string,
  ) => Effect.Effect<
    void,
    PluginError | ModelError | BackendError | StorageError | SafetensorsError,
    FileSystem.FileSystem
  >
}

export function makeRun(
  { model, config, folder, reason, account }: {
    readonly model: Model
    readonly config: ReturnType<Plan["config"]>
    readonly folder: RunFolder | undefined
    readonly reason: TrainStop["reason"]
    readonly account: RunAccount
  },
): Run {
  return {
    model,
    reason,
    ...account,
    ...(folder === undefined ? {} : { folder }),
    summarize: (results) => folder === undefined ? Effect.void : folder.writeSummary({ ...results, ...account }),
    report: (data) =>
      folder === undefined ? Effect.void : Effect.gen(function* () {
        const events = yield* folder.events
        // Loaded on demand: the charts are not part of a page's bundle.
        const { report } = yield* Effect.promise(() => import("../../report/report.ts"))
        yield* folder.writeReport(report({ ...data, events, config }))
      }),
    save: (directory) =>
      !trainsWhole(model.contributions) && model.contributions.some(({ artifacts }) => artifacts !== undefined)
        ? saveAdapters(model, directory)
        : saveModel(model, directory),
  }
}
