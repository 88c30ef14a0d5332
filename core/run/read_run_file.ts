import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { JsonError } from "../formats/json/json_error.ts"
import { parseJson } from "../formats/json/json_file.ts"
import { faultsOf } from "../options/check.ts"
import type { Reader } from "../data/readers/reader.ts"
import { needProblems, type RunMethods } from "./methods.ts"
import { problemsOf } from "./run_problems.ts"
import { type RunSpec, runTable } from "./run_spec.ts"

/** Fields of a {@link RunFileError}. */
export interface RunFileErrorFields {
  /** The file cannot be read, is not JSON, or its content is wrong. */
  readonly reason: "Read" | "Syntax" | "Content"
  /** The file. */
  readonly file: string
  /** All faults, each with the name of its option. */
  readonly problems: ReadonlyArray<string>
  /** File and faults as text. */
  readonly message: string
}

/** A wrong run file. Raised before any work. */
export class RunFileError extends Data.Error<RunFileErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "RunFileError" = "RunFileError"
  /** Shown in stack traces. */
  override readonly name: string = "RunFileError"
}

/** All faults of a run. */
export function runProblems(
  content: unknown,
  methods: RunMethods,
  readers?: ReadonlyArray<Reader>,
): ReadonlyArray<string> {
  const faults = faultsOf(runTable(methods, readers), content).map(({ message }) => message)
  if (faults.length > 0) return faults
  const run = content as RunSpec
  return [...problemsOf(run), ...needProblems(run.methods, methods)]
}

/** Checks the content of a run file. */
export function decodeRunFile(
  content: unknown,
  file: string,
  methods: RunMethods,
  readers?: ReadonlyArray<Reader>,
): Effect.Effect<RunSpec, RunFileError> {
  return Effect.suspend(() => {
    const problems = runProblems(content, methods, readers)
    if (problems.length === 0) return Effect.succeed(content as RunSpec)
    return Effect.fail(
      new RunFileError({ reason: "Content", file, problems, message: [`${file}:`, ...problems].join("\n  ") }),
    )
  })
}

/** Reads a run file and checks it. */
export function readRunFile(
  file: string,
  methods: RunMethods,
  readers?: ReadonlyArray<Reader>,
): Effect.Effect<RunSpec, RunFileError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const wrong = (reason: RunFileError["reason"], message: string) =>
      new RunFileError({ reason, file, problems: [message], message })
    const content = yield* fs.readFileString(file).pipe(
      Effect.mapError(({ reason: { _tag }, message }) =>
        wrong("Read", _tag === "NotFound" ? `${file}: no such file` : `${file} cannot be read: ${message}`)
      ),
    )
    const value = yield* Effect.try({ try: () => parseJson(content, file), catch: (error) => error as JsonError }).pipe(
      Effect.mapError(({ message }) => wrong("Syntax", message)),
    )
    return yield* decodeRunFile(value, file, methods, readers)
  })
}
