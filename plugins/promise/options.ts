import type { TrainEvent } from "../../core/contracts/train_event.ts"
import { type Fault, type Field, field, mustBe, type OptionTable, valueFaults } from "../../core/options/mod.ts"
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

const made = <T>(wanted: string, is: (value: object) => boolean): Field<T> =>
  field.opaque<T>()({
    wanted,
    faults: (value, at): ReadonlyArray<Fault> =>
      (typeof value === "object" || typeof value === "function") && value !== null && is(value)
        ? []
        : [mustBe(at, wanted, value)],
  }) as Field<T>

/** {@link FineTuneOptions} as a table. */
export const FINE_TUNE_OPTIONS: OptionTable<
  FineTuneOptions,
  "signal" | "progress" | "methods" | "backend" | "wasm" | "files"
> = {
  signal: made<AbortSignal>("an AbortSignal", (value) => "aborted" in value && "addEventListener" in value),
  progress: made<(event: TrainEvent) => void>("a function", (value) => typeof value === "function"),
  resume: field.boolean({ default: false }),
  overwrite: field.boolean({ default: false }),
  methods: made<RunMethods>(
    "methods by name",
    (value) =>
      Object.values(value).every((method) =>
        valueFaults(method, { type: "object" }, "").length === 0 && "options" in method && "layer" in method
      ),
  ),
  backend: field.choice(["auto", "wasm", "webgpu"], {}),
  wasm: made<NonNullable<EspalierOptions["wasm"]>>("an object", (value) => typeof value === "object"),
  files: made<Map<string, Uint8Array>>("a Map of files by path", (value) => value instanceof Map),
}
