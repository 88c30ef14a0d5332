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
import { layersOf, readRunFile, resolveRun } from "../core/run/mod.ts"
import * as Bert from "../plugins/bert/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import { METHODS } from "./methods.ts"
import { machine } from "./machine.ts"
import { READERS } from "./readers.ts"
import { flagsOf, main, RUN_FLAGS } from "./shared.ts"
import { evaluateSaved, train } from "./train.ts"

const flags = {
  file: Argument.String("file").pipe(
    Argument.withDescription("Run file [espalier.json]"),
    Argument.withDefault("espalier.json"),
  ),
  ...flagsOf({
    evaluate: field.boolean({ default: false, doc: "Evaluate what is saved in the run folder, without training" }),
    ...RUN_FLAGS,
  }),
}

const command = Command.make("run", flags, ({ file, evaluate, threads, ...flags }) =>
  Effect.gen(function* () {
    const spec = yield* readRunFile(file, METHODS, READERS)
    const run = yield* resolveRun(spec, (yield* Path.Path).dirname(file), READERS)
    const base = machine({ threads })
    const methods = Layer.mergeAll(Bert.layer, Llama.layer, ...layersOf(run.methods, METHODS)).pipe(
      Layer.provideMerge(base),
    )
    return yield* Effect.provide(evaluate ? evaluateSaved(run) : train(run, flags), methods)
  })).pipe(
    Command.withDescription("Fine-tunes a model as described by a run file"),
    Command.withExamples([{
      command: "deno task run examples/espalier.json",
      description: "LoRA and a prefix on the SMS Spam Collection",
    }]),
  )

if (import.meta.main) main(command)
