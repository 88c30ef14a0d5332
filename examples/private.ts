/**
 * Fine-tunes a model with LoRA under differential privacy on your own data: what the adapter holds of one row is bounded by
 * (epsilon, delta). Has all flags of `lora.ts`. Without flags: the included model on the SMS Spam Collection.
 *
 * ```sh
 * deno run -P examples/private.ts --epsilon 8 --data reviews.csv --text review --label stars
 * ```
 *
 * @module
 */
import * as Command from "effect/cli/Command"
import * as DifferentialPrivacy from "../plugins/differential_privacy/mod.ts"
import * as Lora from "./lora.ts"
import { flagsOf, main } from "./shared.ts"

const METHODS = { ...Lora.METHODS, "differential-privacy": DifferentialPrivacy }
const { targetEpsilon, delta: { required: _, ...delta }, maxGradNorm } = DifferentialPrivacy.options

const flags = flagsOf({
  ...Lora.TABLE,
  epsilon: { ...targetEpsilon, default: 8 },
  delta: { ...delta, default: 1e-5 },
  clip: maxGradNorm,
  output: { ...Lora.TABLE.output, default: "runs/private" },
})

const command = Command.make("private", flags, ({ epsilon, delta, clip, ...options }) => {
  const spec = Lora.specOf(options)
  const privacy = { method: "differential-privacy", targetEpsilon: epsilon, delta, maxGradNorm: clip }
  return Lora.runSpec({ ...spec, methods: [...spec.methods, privacy] }, METHODS, options)
}).pipe(
  Command.withDescription("Fine-tunes a model with LoRA under differential privacy on your own data"),
  Command.withExamples([{
    command: "deno run -P examples/private.ts --epsilon 8 --data reviews.csv --text review --label stars",
    description: "A private classifier of reviews",
  }]),
)

if (import.meta.main) main(command)
