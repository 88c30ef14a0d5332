/**
 * Fine-tunes a model as described by a run file: model, data, and methods with their options. Several methods can train
 * together, also several of one kind; the run folder holds the files of each, and they load together again.
 *
 * ```sh
 * deno task run examples/espalier.json
 * deno task run examples/espalier.json --evaluate
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { field } from "../core/options/mod.ts"
import { evaluateSaved, layersOf, readRunFile, resolveRun, type RunError, type RunServices } from "../core/run/mod.ts"
import { families, METHODS, READERS } from "../plugins/all/mod.ts"
import * as Chat from "../plugins/chat/mod.ts"
import { machine } from "./machine.ts"
import { flagsOf, main, progress, RUN_FLAGS, train } from "./shared.ts"

const flags = {
  file: Argument.String("file").pipe(
    Argument.withDescription("Run file [espalier.json]"),
    Argument.withDefault("espalier.json"),
  ),
  ...flagsOf({
    evaluate: field.boolean({ default: false, doc: "Evaluate what is saved in the run folder, without training" }),
    attached: field.boolean({ default: false, doc: "End when standard input does: for a program that starts runs" }),
    ...RUN_FLAGS,
  }),
}

const command = Command.make("run", flags, ({ file, evaluate, threads, ...flags }) =>
  Effect.gen(function* () {
    const spec = yield* readRunFile(file, METHODS, READERS)
    const run = yield* resolveRun(spec, (yield* Path.Path).dirname(file), READERS)
    const base = machine({ threads })
    const methods = Layer.mergeAll(families, ...layersOf(run.methods, METHODS)).pipe(Layer.provideMerge(base))
    const done = evaluate
      ? Effect.flatMap(Chat.prepared(run), (run) => evaluateSaved(run, { observe: progress() }))
      : train(run, flags)
    const all = Effect.asVoid<unknown, RunError, RunServices>(done).pipe(Effect.scoped, Effect.provide(methods))
    return yield* flags.attached ? Effect.raceFirst(all, Effect.andThen(inputEnds, Effect.interrupt)) : all
  })).pipe(
    Command.withDescription("Fine-tunes a model as described by a run file"),
    Command.withExamples([{
      command: "deno task run examples/espalier.json",
      description: "LoRA and a prefix on the SMS Spam Collection",
    }]),
  )

/** Ends when standard input does: the program at its other end is gone. */
const inputEnds = Effect.promise(async (signal) => {
  const reader = Deno.stdin.readable.getReader()
  signal.addEventListener("abort", () => void reader.cancel())
  while (!(await reader.read()).done);
})

if (import.meta.main) main(command)
