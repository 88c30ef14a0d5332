/**
 * Combines LoRA adapters into one and prints the error of the result.
 *
 * ```sh
 * deno task combine --adapters ./news=0.5,./reviews=-0.5 --type svd --rank 16 --output runs/both
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { field } from "../core/options/mod.ts"
import { COMBINE_OPTIONS } from "../plugins/lora/combine/combine_options.ts"
import * as Lora from "../plugins/lora/mod.ts"
import { hub } from "./machine.ts"
import { defined, flagsOf, main } from "./shared.ts"

const { combinationType: type, svdRank: rank, adapters: _, ...options } = COMBINE_OPTIONS

const flags = flagsOf({
  adapters: field.text({ required: true, doc: "Directories with their weights [1]: a=0.5,b=-0.5" }),
  type,
  rank,
  ...options,
})

const command = Command.make(
  "combine",
  flags,
  ({ adapters, type, rank, ...options }) =>
    Effect.gen(function* () {
      const sources = adapters.split(",").map((text) => {
        const [, path, weight = "1"] = /^(.*?)(?:=([^=]*))?$/.exec(text)!
        return { path, weight: Number(weight) }
      })
      const { modules, worst, notes } = yield* Lora.combine({
        output: options.output,
        ...defined({ ...options, combinationType: type, svdRank: rank }),
        adapters: sources,
      })
      for (const { module, rank, error } of modules) {
        yield* Console.log(`${module}: rank ${rank}, error ${error.toExponential(1)}`)
      }
      for (const note of notes) yield* Console.log(`note: ${note}`)
      yield* Console.log(
        `adapter: ${options.output}; greatest error ${worst.error.toExponential(1)}, at ${worst.module}`,
      )
    }).pipe(Effect.provide(hub())),
).pipe(Command.withDescription("Combines LoRA adapters into one"))

if (import.meta.main) main(command)
