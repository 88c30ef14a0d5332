/**
 * What the examples share: flags, output, errors as one line.
 * @module
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import { RunFolderError, Trainer, type TrainEvent } from "../mod.ts"

/** A whole number from `least`. */
export const whole = (name: string, description: string, least = 1) =>
  Flag.Int(name).pipe(
    Flag.withSchema(Schema.Int.check(Schema.isGreaterThanOrEqualTo(least))),
    Flag.withDescription(description),
  )

/** A number from 0. */
export const number = (name: string, description: string) =>
  Flag.Finite(name).pipe(
    Flag.withSchema(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
    Flag.withDescription(description),
  )

/** A text, or nothing. */
export const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

/** Flag of the CPU backend. */
export const threads = whole("threads", "Threads of the CPU backend [all]").pipe(Flag.optional)

/** Flag for tracing. */
export const trace = Flag.Boolean("trace").pipe(
  Flag.withDescription("Time each kernel of a step (the tenth): a table, and trace.json in the run folder"),
  Flag.withDefault(false),
)

/** The step to trace: by the tenth, the engine has warmed up. */
export const traceStep = (asked: boolean): { readonly traceStep?: number } => asked ? { traceStep: 10 } : {}

/** `undefined` for nothing. */
export const given = Option.getOrUndefined

/** An object without the entries that are `undefined`. */
export const defined = <A extends object>(values: A): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as A

/** A path within `examples/`, relative to the current directory if it is below it. */
export const beside = (path: string): string => {
  const full = decodeURIComponent(new URL(path, import.meta.url).pathname)
  const here = `${Deno.cwd()}/`
  return full.startsWith(here) ? full.slice(here.length) : full
}

/** Progress on the terminal, or as plain lines elsewhere. */
export const progress = (): (event: TrainEvent) => Effect.Effect<void> => {
  const encoder = new TextEncoder()
  const isTerminal = Deno.stdout.isTerminal()
  const show = Trainer.showProgress({
    isTerminal,
    columns: isTerminal ? Deno.consoleSize().columns : 80,
    write: (text) => void Deno.stdout.writeSync(encoder.encode(text)),
    now: () => performance.now(),
  })
  return (event) => Effect.sync(() => show(event))
}

const holdsRun = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const names = yield* fs.readDirectory(folder).pipe(Effect.orElseSucceed((): string[] => []))
    return names.includes("config.json")
  })

/** Fails early if the output folder holds a run that is neither resumed nor replaced. */
export const checkOutput = (folder: string, { resume, overwrite }: { resume: boolean; overwrite: boolean }) =>
  Effect.gen(function* () {
    if (resume || overwrite || !(yield* holdsRun(folder))) return
    const message = `"${folder}" holds another run: name another one with --output, or give --overwrite or --resume`
    return yield* new RunFolderError({ reason: "HoldsRun", path: folder, fields: [], message })
  })

/** Removes a run that is replaced; a folder without a run is left alone. */
export const clearOutput = (folder: string, { resume, overwrite }: { resume: boolean; overwrite: boolean }) =>
  Effect.gen(function* () {
    if (!overwrite || resume || !(yield* holdsRun(folder))) return
    const fs = yield* FileSystem.FileSystem
    yield* fs.remove(folder, { recursive: true })
  })

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
