import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { DataError } from "../../../core/data/data_error.ts"
import { generate, type GenerateError, type GenerateOptions } from "../../../core/inference/generate.ts"
import type { Model } from "../../../core/model/model.ts"
import type { Example } from "../prompt_format.ts"
import type { Proposer, Scored } from "./proposer.ts"

/** Options of {@link byModel}. */
export interface ByModelOptions extends Omit<GenerateOptions, "plugins" | "seed"> {
  /** Examples that the model sees. Default: none. */
  readonly examples?: ReadonlyArray<Example>
  /** Instructions a round. Default 4. */
  readonly count?: number
  /** The prompt from scored instructions, the worst first, and examples. Default: {@link proposalPrompt}. */
  readonly prompt?: (scored: ReadonlyArray<Scored>, examples: ReadonlyArray<Example>) => string
}

/**
 * A prompt for a better instruction: those so far with their scores, the worst first, so that the next of the list is a better one
 * (OPRO: Yang et al. 2023, "Large Language Models as Optimizers"), and examples of the task (APE: Zhou et al. 2022).
 */
export const proposalPrompt = (scored: ReadonlyArray<Scored>, examples: ReadonlyArray<Example>): string =>
  [
    "Here are instructions for a task with their scores from 0 to 100. A better instruction has a higher score.",
    ...examples.length === 0
      ? []
      : ["Examples of the task:", ...examples.map(({ input, output }) => `Input: ${input}\nAnswer: ${output}`)],
    ...scored.map(({ instruction, score }) => `Score: ${Math.round(100 * score)}\nInstruction: ${instruction}`),
    "Score: 100\nInstruction:",
  ].join("\n\n")

/** The first line of a text, without quotes around it. */
const lineOf = (text: string): string => (text.trim().split("\n")[0] ?? "").trim().replace(/^["'“](.*)["'”]$/, "$1")

/** Lets a language model write the next instructions; the scores of the best so far are part of its prompt. */
export const byModel = (
  model: Model,
  { examples = [], count = 4, prompt = proposalPrompt, temperature = 1, maxNewTokens = 40, ...options }:
    ByModelOptions = {},
): Proposer<GenerateError | DataError, FileSystem.FileSystem> => ({
  name: "model",
  propose: ({ kept, rng }) => {
    const text = prompt(kept.toReversed(), examples)
    const drawing = { ...options, temperature, maxNewTokens, seed: rng.int(2 ** 31) }
    return Effect.map(
      generate(model, Array.from({ length: count }, () => text), drawing),
      (texts) => texts.map(lineOf).filter((line) => line.length > 2),
    )
  },
})
