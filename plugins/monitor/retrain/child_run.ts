import * as Effect from "effect/Effect"
import { MonitorError } from "../monitor_error.ts"

/** Options of {@link childRun}. */
export interface ChildRunOptions {
  /** Program and arguments, to which the path of the run file is added: `["deno", "run", "-P", "examples/run.ts"]`. */
  readonly command: readonly [program: string, ...rest: ReadonlyArray<string>]
  /** Folder in which it runs. Default: the current one. */
  readonly folder?: string
}

/** Characters of a failed run's output that its error has. */
const TOLD = 2000

/**
 * Carries out run files in a process of their own, so that a run that fails or takes too much memory leaves the server alone.
 * Interrupted, it ends the process. Its standard input stays open while this process lives; a program that ends with
 * it (`examples/run.ts --attached`) is never left behind. Deno needs `--allow-run` and `--allow-env`. Fails with
 * {@link MonitorError} `Retrain`.
 */
export function childRun(
  { command: [program, ...rest], folder }: ChildRunOptions,
): (file: string) => Effect.Effect<void, MonitorError> {
  const options = folder === undefined ? {} : { cwd: folder }
  return (file) =>
    Effect.gen(function* () {
      const { spawn } = yield* Effect.promise(() => import("node:child_process"))
      const failed = (what: string, cause?: unknown) =>
        new MonitorError({ reason: "Retrain", message: `the run "${file}" ${what}`, cause })
      const unstarted = (cause: unknown) => failed(`cannot start: ${(cause as Error).message}`, cause)
      const child = yield* Effect.try({ try: () => spawn(program, [...rest, file], options), catch: unstarted })
      yield* Effect.callback<void, MonitorError>((resume) => {
        let told = ""
        for (const stream of [child.stdout, child.stderr]) {
          stream.on("data", (bytes: Uint8Array) => told = (told + bytes).slice(-TOLD))
        }
        child.on("error", (cause: Error) => resume(Effect.fail(unstarted(cause))))
        child.on("close", (code: number | null, signal: string | null) => {
          const end = code === null ? `was ended by ${signal}` : `ended with code ${code}`
          resume(code === 0 ? Effect.void : Effect.fail(failed(`${end}: ${told.trim()}`)))
        })
        return Effect.sync(() => child.kill("SIGTERM"))
      })
    })
}
