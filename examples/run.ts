/**
 * Fine-tunes a model as a run file says: which model, which data, which methods with which options. Several methods train
 * together, and several of one kind; the run folder holds the files of each, and all load together again.
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
import { judgeSaved, train } from "./_train.ts"
import { layersOf, readRunFile, settingsOf } from "./run_file.ts"

const flags = {
  file: Argument.String("file").pipe(
    Argument.withDescription("The run file [espalier.json]"),
    Argument.withDefault("espalier.json"),
  ),
  evaluate: Flag.Boolean("evaluate").pipe(
    Flag.withDescription("Train nothing: judge what lies in the run folder"),
    Flag.withDefault(false),
  ),
  resume: Flag.Boolean("resume").pipe(
    Flag.withDescription("Go on with the run in the output folder"),
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
    return yield* Effect.provide(evaluate ? judgeSaved(settings) : train(settings), methods)
  })).pipe(
    Command.withDescription("Fine-tunes a model as a run file says"),
    Command.withExamples([{
      command: "deno run -P examples/run.ts examples/espalier.json",
      description: "LoRA and a prefix on the SMS Spam Collection",
    }]),
  )

if (import.meta.main) main(command)
