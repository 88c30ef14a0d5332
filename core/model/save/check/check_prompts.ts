import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, type DataError } from "../../../data/data_error.ts"
import { loadTokenizer } from "../../../data/tokenizer_files/load_tokenizer.ts"
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

/** Token ids for a model without a tokenizer. */
const idsFor = (vocabSize: number): ReadonlyArray<Int32Array> =>
  Array.from(
    { length: 4 },
    (_, row) => Int32Array.from({ length: 16 }, (_, i) => (7 * i + 5 * row * i + 3) % vocabSize),
  )

/** Prompts as token ids. */
export interface EncodedPrompts {
  /** Each of two tokens or more. */
  readonly prompts: ReadonlyArray<Int32Array>
  /** One of the texts, and all of its ids. */
  readonly cut?: { readonly text: string; readonly ids: Int32Array }
}

/**
 * Prompts as token ids, cut to `most`.
 *
 * @param given Default: {@link PROMPTS}, or some ids where no tokenizer lies beside the model.
 */
export function encodePrompts(
  { companions, directory, network }: Model,
  given: ReadonlyArray<string | Int32Array> | undefined,
  most: number,
): Effect.Effect<EncodedPrompts, DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const text = (given ?? PROMPTS).find((prompt) => typeof prompt === "string")
    const tokenizer = text === undefined ? undefined : yield* loadTokenizer(companions ?? directory).pipe(
      Effect.catch((error) =>
        given === undefined && error.reason === "NotFound" ? Effect.succeed(undefined) : Effect.fail(error)
      ),
    )
    const all = given ?? (tokenizer === undefined ? idsFor(network.vocabSize) : PROMPTS)
    return yield* attempt(() => {
      const ids = all.map((one) => typeof one === "string" ? tokenizer!.encode(one) : one)
      const prompts = ids.map((one) => one.subarray(0, Math.min(most, network.maxPositions)))
      return {
        prompts: prompts.filter(({ length }) => length > 1),
        ...(tokenizer === undefined ? {} : { cut: { text: text as string, ids: tokenizer.encode(text as string) } }),
      }
    })
  })
}
