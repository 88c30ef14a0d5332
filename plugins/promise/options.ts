import type { TrainEvent } from "../../core/contracts/train_event.ts"
import { instance, signal } from "../../core/options/instance_field.ts"
import { field, type OptionTable, valueFaults } from "../../core/options/mod.ts"
import type { RunMethods } from "../../core/run/mod.ts"
import type { EspalierOptions } from "../../core/training/espalier.ts"

/** Options of `fineTune`: how a run is carried out. What decides its outcome is in the run itself. */
export interface FineTuneOptions extends EspalierOptions {
  /**
   * Stops the run. It writes a checkpoint first, so that `resume` goes on; then the promise rejects with `signal.reason`.
   * Default: the run goes to its end.
   */
  readonly signal?: AbortSignal
  /** Receives every event, in order: steps, scores, checkpoints, messages. What it throws ends the run. Default: none. */
  readonly progress?: (event: TrainEvent) => void
  /** Resume the run in the run folder. Default false. */
  readonly resume?: boolean
  /** Replace the run in the run folder. Default false. */
  readonly overwrite?: boolean
  /** Methods beside those of this package, by the names that the run has for them. Default: none. */
  readonly methods?: RunMethods
}

/** {@link FineTuneOptions} as a table. */
export const FINE_TUNE_OPTIONS: OptionTable<
  FineTuneOptions,
  "signal" | "progress" | "methods" | "backend" | "wasm" | "files"
> = {
  signal,
  progress: instance<(event: TrainEvent) => void>("a function", (value) => typeof value === "function"),
  resume: field.boolean({ default: false }),
  overwrite: field.boolean({ default: false }),
  methods: instance<RunMethods>(
    "methods by name",
    (value) =>
      Object.values(value).every((method) =>
        valueFaults(method, { type: "object" }, "").length === 0 && "options" in method && "layer" in method
      ),
  ),
  backend: field.choice(["auto", "wasm", "webgpu"], {}),
  wasm: instance<NonNullable<EspalierOptions["wasm"]>>("an object", (value) => typeof value === "object"),
  files: instance<Map<string, Uint8Array>>("a Map of files by path", (value) => value instanceof Map),
}
