import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { DataError } from "../../../core/data/data_error.ts"
import { makeTokenizer, type Tokenizer } from "../../../core/data/tokenizer.ts"
import { trainBpe } from "../../../core/data/train_bpe.ts"

/** Runs an effect that needs files. */
export const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, NodeFileSystem.layer))

/** The DataError that an effect fails with. */
export const failure = async <A>(effect: Effect.Effect<A, DataError, FileSystem.FileSystem>): Promise<DataError> => {
  const error: unknown = await run(Effect.flip(effect))
  if (error instanceof DataError) return error
  throw new Error(`expected a DataError, got ${error}`)
}

/** Writes one file into a directory of its own, gives its path to `use`, and takes both away. */
export const withFile = async <A>(
  name: string,
  content: string | Uint8Array,
  use: (path: string) => Promise<A>,
): Promise<A> => {
  const directory = await Deno.makeTempDir()
  try {
    const path = `${directory}/${name}`
    await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content)
    return await use(path)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

/** A few texts to train a tokenizer on. */
export const texts: ReadonlyArray<string> = [
  "Free entry in 2 a weekly competition to win tickets. Text WIN to 80086 now!",
  "Ok, see you at the station then. Don't be late, we're leaving at 5.",
  "You have won a guaranteed prize! Call now to claim the prize, the offer ends today.",
  "I'll call you later, I am in the meeting. The meeting ends at 5, see you then.",
]

/** A small byte-level tokenizer whose end-of-text token is id 0. */
export const tokenizer: Tokenizer = (() => {
  const trained = trainBpe(texts, { vocabSize: 320 })
  return makeTokenizer(trained.model, trained.config)
})()

/** A word-level tokenizer that puts [CLS] (id 1) before and [SEP] (id 2) after a text; it knows "a" to "e" (ids 3 to 7). */
export const framed: Tokenizer = makeTokenizer({
  version: "1.0",
  added_tokens: ["[PAD]", "[CLS]", "[SEP]"].map((content, id) => ({ id, content, special: true, normalized: false })),
  normalizer: null,
  pre_tokenizer: { type: "WhitespaceSplit" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [],
    special_tokens: {},
  },
  decoder: null,
  model: {
    type: "WordPiece",
    unk_token: "[PAD]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: { "[PAD]": 0, "[CLS]": 1, "[SEP]": 2, a: 3, b: 4, c: 5, d: 6, e: 7 },
  },
}, { pad_token: "[PAD]" })
