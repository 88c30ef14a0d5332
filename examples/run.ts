/**
 * Fine-tunes a model as described by a run file: model, data, and methods with their options. Several methods can train
 * together, also several of one kind; the run folder holds the files of each, and they load together again.
 *
 * ```sh
 * deno run -P examples/run.ts examples/espalier.json
 * deno run -P examples/run.ts examples/espalier.json --evaluate
 * ```
 *
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { Espalier } from "../mod.ts"
import * as Bert from "../plugins/bert/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import { defined, given, main, threads, trace } from "./_shared.ts"
import { evaluateSaved, train } from "./_train.ts"
import { layersOf, readRunFile, settingsOf } from "./run_file.ts"

const flags = {
  file: Argument.String("file").pipe(
    Argument.withDescription("Run file [espalier.json]"),
    Argument.withDefault("espalier.json"),
  ),
  evaluate: Flag.Boolean("evaluate").pipe(
    Flag.withDescription("Evaluate what is saved in the run folder, without training"),
    Flag.withDefault(false),
  ),
  resume: Flag.Boolean("resume").pipe(
    Flag.withDescription("Resume the run in the output folder"),
    Flag.withDefault(false),
  ),
  overwrite: Flag.Boolean("overwrite").pipe(
    Flag.withDescription("Replace the run in the output folder"),
    Flag.withDefault(false),
  ),
  trace,
  threads,
}

const command = Command.make("run", flags, ({ file, evaluate, threads, ...rest }) =>
  Effect.gen(function* () {
    const run = yield* readRunFile(file)
    const settings = yield* settingsOf(run, file, rest)
    const base = Espalier.layerWith({ wasm: defined({ threads: given(threads) }) })
    const methods = Layer.mergeAll(Bert.layer, Llama.layer, ...layersOf(run)).pipe(Layer.provideMerge(base))
    return yield* Effect.provide(evaluate ? evaluateSaved(settings) : train(settings), methods)
  })).pipe(
    Command.withDescription("Fine-tunes a model as described by a run file"),
    Command.withExamples([{
      command: "deno run -P examples/run.ts examples/espalier.json",
      description: "LoRA and a prefix on the SMS Spam Collection",
    }]),
  )

if (import.meta.main) main(command)
