/**
 * Combines LoRA adapters into one and prints the error of the result.
 *
 * ```sh
 * deno run -P examples/combine.ts --adapters ./news=0.5,./reviews=-0.5 --type svd --rank 16 --output runs/both
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Lora from "../plugins/lora/mod.ts"
import { defined, given, main, number, whole } from "./_shared.ts"

const flags = {
  adapters: Flag.String("adapters").pipe(Flag.withDescription("Directories with their weights [1]: a=0.5,b=-0.5")),
  combinationType: Flag.Literals("type", ["cat", "linear", "svd", "ties", "dare_linear", "dare_ties"]).pipe(
    Flag.withDescription("Combination [cat: exact, at the sum of the ranks]"),
    Flag.withDefault("cat"),
  ),
  svdRank: whole("rank", "Rank of the result, for types with a free rank [the adapters' greatest]").pipe(Flag.optional),
  density: number("density", "Share of each update that is kept (ties, dare)").pipe(Flag.optional),
  tolerance: number("tolerance", "Greatest relative error of a module [1e-5 for cat and linear, else 0.05]").pipe(
    Flag.optional,
  ),
  output: Flag.String("output").pipe(Flag.withDescription("Directory for the result; replaced if it exists")),
}

const command = Command.make(
  "combine",
  flags,
  ({ adapters, svdRank, density, tolerance, ...options }) =>
    Effect.gen(function* () {
      const sources = adapters.split(",").map((text) => {
        const [, path, weight = "1"] = /^(.*?)(?:=([^=]*))?$/.exec(text)!
        return { path, weight: Number(weight) }
      })
      const own = { svdRank: given(svdRank), density: given(density), tolerance: given(tolerance) }
      const { modules, worst, notes } = yield* Lora.combine({ ...options, ...defined(own), adapters: sources })
      for (const { module, rank, error } of modules) {
        yield* Console.log(`${module}: rank ${rank}, error ${error.toExponential(1)}`)
      }
      for (const note of notes) yield* Console.log(`note: ${note}`)
      yield* Console.log(
        `adapter: ${options.output}; greatest error ${worst.error.toExponential(1)}, at ${worst.module}`,
      )
    }),
).pipe(Command.withDescription("Combines LoRA adapters into one"))

if (import.meta.main) main(command)
