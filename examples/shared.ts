/**
 * What the examples share: flags, output, errors as one line.
 * @module
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import { defaultText, type Field, field, type Fields, valueFaults, type ValueOf } from "../core/options/mod.ts"
import {
  checkOutput as checkFolder,
  clearOutput,
  type ResolvedRun,
  type RunError,
  type RunServices,
  type TrainedRun,
  trainRun,
} from "../core/run/mod.ts"
import { type RunFolderError, StorageError, Trainer, type TrainEvent } from "../mod.ts"
import { REVIEWS } from "../plugins/all/mod.ts"
import * as Chat from "../plugins/chat/mod.ts"

export { clearOutput }

/** Flags that every training example has. */
export const RUN_FLAGS = {
  resume: field.boolean({ default: false, doc: "Resume the run in the output folder" }),
  overwrite: field.boolean({ default: false, doc: "Replace the run in the output folder" }),
  trace: field.boolean({
    default: false,
    doc: "Time each kernel of a step (the tenth): a table, and trace.json in the run folder",
  }),
  threads: field.integer({ minimum: 1, absent: "all", doc: "Threads of the CPU backend" }),
}

/** What a flag gives: `undefined` where it is left out and has no default. */
type Given<F> = F extends { readonly default: unknown } | { readonly required: true } ? ValueOf<F>
  : ValueOf<F> | undefined

/** Flags for the options of a table, by their names in kebab case. */
export const flagsOf = <T extends Fields>(table: T) =>
  Object.fromEntries(Object.entries(table).map(([name, field]) => [name, flagOf(name, field)])) as {
    readonly [Name in keyof T]: Flag.Flag<Given<T[Name]>>
  }

const flagOf = (option: string, field: Field<unknown>) => {
  const name = option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  const { type, anyOf, enum: choices, required, doc, default: usual } = field
  const word: Flag.Flag<unknown> = type === "boolean"
    ? Flag.Boolean(name)
    : type === "integer"
    ? Flag.Int(name)
    : type === "number"
    ? Flag.Finite(name)
    : choices !== undefined
    ? Flag.Literals(name, choices as ReadonlyArray<string>)
    : Flag.String(name)
  const check = (word: unknown) => {
    const readings = type === "array" ? [namesOf(String(word))] : anyOf === undefined ? [word] : [word, Number(word)]
    const faults = readings.map((value) => valueFaults(value, field, `--${name}`))
    const at = faults.findIndex(({ length }) => length === 0)
    if (at < 0) throw faults[0][0].message
    return readings[at]
  }
  const text = usual === false ? undefined : defaultText(field)
  const shown = `${doc}${type === "array" ? ", separated by commas" : ""}${text === undefined ? "" : ` [${text}]`}`
  const flag = word.pipe(Flag.mapTryCatch(check, String), Flag.withDescription(shown))
  if (required) return flag
  if (usual !== undefined && typeof usual !== "function") return Flag.withDefault(flag, usual)
  return Flag.map(Flag.optional(flag), Option.getOrUndefined)
}

/** Names that are separated by commas. */
export const namesOf = (text: string): ReadonlyArray<string> => text.split(",").map((name) => name.trim())

/** The step to trace: by the tenth, the engine has warmed up. */
export const traceStep = (asked: boolean): { readonly traceStep?: number } => asked ? { traceStep: 10 } : {}

/** An object without the entries that are `undefined`. */
export const defined = <A extends object>(values: A): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as A

/** A path within `examples/`, relative to the current directory if it is below it. */
export const beside = (path: string): string => {
  const full = decodeURIComponent(new URL(path, import.meta.url).pathname)
  const here = `${Deno.cwd()}/`
  return full.startsWith(here) ? full.slice(here.length) : full
}

/** A stream of this process, as what shows progress wants it. */
export const terminal = (stream: typeof Deno.stdout | typeof Deno.stderr) => {
  const encoder = new TextEncoder()
  const isTerminal = stream.isTerminal()
  return {
    isTerminal,
    columns: isTerminal ? Deno.consoleSize().columns : 80,
    write: (text: string) => void stream.writeSync(encoder.encode(text)),
    now: () => performance.now(),
  }
}

/** Progress on the terminal, or as plain lines elsewhere. */
export const progress = (): (event: TrainEvent) => Effect.Effect<void> => {
  const show = Trainer.showProgress(terminal(Deno.stdout))
  return (event) => Effect.sync(() => show(event))
}

/** Fails early if the output folder may not be written, or holds a run that is neither resumed nor replaced. */
export const checkOutput = (
  folder: string,
  flags: { readonly resume: boolean; readonly overwrite: boolean },
): Effect.Effect<void, StorageError | RunFolderError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { state } = yield* Effect.promise(() => Deno.permissions.query({ name: "write", path: folder }))
    if (state !== "granted") {
      const message = `"${folder}" may not be written: the tasks write below runs/; to write elsewhere, run the file ` +
        `itself: deno run -P --allow-write=${folder} examples/NAME.ts --output ${folder}`
      return yield* new StorageError({ reason: "Permission", path: folder, message })
    }
    yield* checkFolder(folder, flags)
  })

/** Carries a run out, with its progress on the terminal. */
export const train = (
  run: ResolvedRun,
  { resume, overwrite, trace }: { readonly resume: boolean; readonly overwrite: boolean; readonly trace: boolean },
): Effect.Effect<TrainedRun, RunError | StorageError | RunFolderError, RunServices> =>
  Effect.andThen(
    checkOutput(run.output, { resume, overwrite }),
    Effect.flatMap(
      Chat.prepared(run),
      (run) => trainRun(run, { resume, overwrite, trace, observe: progress(), reviews: REVIEWS }),
    ),
  )

/** Runs a command: an error is one line on stderr and exit code 1, Ctrl-C ends in order with 130. */
export const main = <Name extends string, Input, Context, E>(
  command: Command.Command<Name, Input, Context, E, NodeServices.NodeServices>,
): void => {
  const report = (cause: Cause.Cause<unknown>) =>
    Effect.sync(() => {
      for (const reason of cause.reasons) {
        // Usage has been printed already.
        const shown = Cause.isFailReason(reason) && (reason.error as { readonly _tag?: string })._tag === "ShowHelp"
        if (shown || Cause.isInterruptReason(reason)) continue
        const error = Cause.isFailReason(reason) ? reason.error : reason.defect
        if (!Cause.isFailReason(reason)) console.error(error)
        else console.error(`error: ${error instanceof Error ? error.message : String(error)}`)
      }
    })
  const code = (exit: Exit.Exit<unknown, unknown>) =>
    Exit.isSuccess(exit) ? 0 : Cause.hasInterruptsOnly(exit.cause) ? 130 : 1
  command.pipe(
    Command.run({ version: "0.1.0" }),
    Effect.tapCause(report),
    Effect.provide(NodeServices.layer),
    // Detected without reading the environment, which needs a permission.
    Effect.provideService(TerminalCapabilities.TerminalCapabilities, {
      canColor: Deno.stdout.isTerminal() && !Deno.noColor,
      canAnimate: Deno.stdout.isTerminal(),
      canPrompt: false,
    }),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown: (exit, onExit) => onExit(code(exit)) }),
  )
}
