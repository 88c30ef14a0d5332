import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Data } from "../../../core/data/data.ts"
import { DataError } from "../../../core/data/data_error.ts"
import { encode, encodeBlocks, type Encoded, type Example, MASKED } from "../../../core/data/encode.ts"
import type { EncodeOptions } from "../../../core/data/data.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { trainBpe } from "../../../core/data/tokenizer/training/train_bpe.ts"
import { Task } from "../../../core/tasks/builtin.ts"

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
  return tokenizerOf(trained.model, trained.config)
})()

/** A word-level tokenizer that puts [CLS] (id 1) before and [SEP] (id 2) after a text; it knows "a" to "e" (ids 3 to 7). */
export const framed: Tokenizer = tokenizerOf({
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

/** Encodes rows for the task of their kind, or texts for masked language modelling. */
export const encodeRows = (
  data: Data,
  tokenizer: Tokenizer,
  { masked = false, ...options }: EncodeOptions & { readonly masked?: boolean },
): Encoded => {
  const tasks = [Task.classification(data.labels), Task.tokenClassification(data.labels), Task.causalLM()]
  const task = masked ? Task.maskedLM() : tasks.find(({ rows }) => rows.includes(data.kind))!
  return encode(data, tokenizer, { ...options, task })
}

/** Texts joined and cut into blocks, to learn the next token. */
export const encodeTextBlocks = (
  data: Data,
  tokenizer: Tokenizer,
  options: { readonly blockLength: number },
): Encoded => encodeBlocks(data, tokenizer, options)

/** For each token itself where a causal language model learns it, else -100: its labels, not shifted. */
export const learned = ({ fields: { labels } }: Example): ReadonlyArray<number> => {
  if (labels[labels.length - 1] !== MASKED) throw new Error("the last token has a label")
  return [MASKED, ...Array.from(labels).slice(0, -1)]
}

/** Number of labels that are not masked. */
export const countLabels = (examples: ReadonlyArray<Example>): number =>
  examples.reduce((sum, { fields }) => sum + Array.from(fields.labels).filter((label) => label !== MASKED).length, 0)

/** Tokens of all examples. */
export const countTokens = (examples: ReadonlyArray<Example>): number =>
  examples.reduce((sum, { tokens }) => sum + tokens.length, 0)
