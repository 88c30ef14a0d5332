import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, type DataError } from "../../../data/data_error.ts"
import { loadTokenizer } from "../../../data/tokenizer/tokenizer.ts"
import type { Model } from "../../model.ts"

/** Texts of several kinds, some tens of tokens each. */
export const PROMPTS: ReadonlyArray<string> = [
  "The river rises in the hills north of the town and flows through it for three miles before it reaches the sea.",
  "Question: A train leaves at nine and travels sixty miles an hour. How far has it gone by noon?\nAnswer: 180 miles.",
  "def add(a, b):\n    return a + b\n\nprint(add(2, 3))",
  "She put the letter back into the drawer, locked it, and said nothing about it for many years.",
  "Water boils at a lower temperature on a mountain, because the pressure of the air is lower there.",
  "Dear Sir or Madam, I am writing to ask whether the room that you advertised is still free in May.",
  "1. Peel the onions. 2. Heat the oil. 3. Fry them slowly until they are golden, then add the rice.",
  "In 1969 two people walked on the Moon for the first time, and many millions watched them.",
]

/** Prompts as token ids, each of two tokens or more and cut to `most`. */
export function encodePrompts(
  { companions, directory, network }: Model,
  prompts: ReadonlyArray<string | Int32Array>,
  most: number,
): Effect.Effect<ReadonlyArray<Int32Array>, DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const isText = prompts.some((prompt) => typeof prompt === "string")
    const tokenizer = isText ? yield* loadTokenizer(companions ?? directory) : undefined
    const ids = yield* attempt(() =>
      prompts.map((prompt) => typeof prompt === "string" ? tokenizer!.encode(prompt) : prompt)
    )
    return ids.map((all) => all.subarray(0, Math.min(most, network.maxPositions))).filter(({ length }) => length > 1)
  })
}
