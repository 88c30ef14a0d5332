import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, DataError, quoted } from "../../core/data/data_error.ts"
import { dataOptions } from "../../core/data/data_options.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { TEXTS } from "../../core/options/argument.ts"
import type { Field, OptionTable } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import { TOKENIZER } from "../../core/inference/tokenizer_option.ts"
import type { EmbedError } from "../../core/training/embed.ts"
import { type Encoder, vectorsOf } from "../retrieval/mod.ts"
import type { Choice, Pool } from "./choices/choice.ts"
import { random } from "./choices/random.ts"
import { type Example, type PromptFormat, promptFormat } from "./prompt_format.ts"

/** Options of {@link fewShot}. */
export interface FewShotOptions {
  /** How examples are chosen. Default: `random()`. */
  readonly choose?: Choice
  /** Most examples of a prompt. Default 8. */
  readonly count?: number
  /** Most tokens of a prompt: examples beyond it are left out, the last chosen first. Default: no limit. */
  readonly maxTokens?: number
  /** Tokenizer of the model; `maxTokens` needs it. */
  readonly tokenizer?: Tokenizer
  /** What embeds examples and queries; choices that look at vectors need it. */
  readonly encoder?: Encoder
  /** The labels that must have examples. Default: the answers of the examples. */
  readonly labels?: ReadonlyArray<string>
  /** Default: `promptFormat()`. */
  readonly format?: PromptFormat
}

type Open = "choose" | "maxTokens" | "tokenizer" | "encoder" | "labels" | "format"

const given = <A>(): Field<A> => field.opaque<A>()({ faults: () => [] })

const OPTIONS: OptionTable<FewShotOptions, Open> = {
  choose: given<Choice>(),
  count: field.integer({ minimum: 1, default: 8, doc: "Most examples of a prompt" }),
  maxTokens: field.integer({ minimum: 1, doc: "Most tokens of a prompt", absent: "no limit" }),
  tokenizer: TOKENIZER,
  encoder: given<Encoder>(),
  labels: TEXTS as Field<ReadonlyArray<string>>,
  format: given<PromptFormat>(),
}

/** A prompt with examples. */
export interface FewShotPrompt {
  /** The prompt up to where the answer begins. */
  readonly text: string
  /** Rows of its examples, as they stand in it: the best is the last, next to the query. */
  readonly examples: ReadonlyArray<number>
}

/** Makes prompts with examples. */
export interface FewShot {
  /** Prompts for queries. Fails with DataError `TooLong` where not even one example fits. */
  readonly prompts: (
    queries: ReadonlyArray<string>,
  ) => Effect.Effect<ReadonlyArray<FewShotPrompt>, DataError | EmbedError, FileSystem.FileSystem>
}

/**
 * Makes ready to put examples before queries.
 *
 * Fails with DataError: `Empty` without examples, `Label` for labels without examples, `BadInput` for wrong options, and for a
 * choice that needs an encoder, or `maxTokens` that needs a tokenizer, without one.
 */
export function fewShot(
  examples: ReadonlyArray<Example>,
  options: FewShotOptions = {},
): Effect.Effect<FewShot, DataError | EmbedError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { choose = random(), count, maxTokens, tokenizer, encoder, labels = [], format = promptFormat() } =
      yield* attempt(() => dataOptions(OPTIONS, options))
    const wrong = wrongExamples(examples, labels) ?? wrongNeeds(choose, encoder, maxTokens, tokenizer)
    if (wrong !== undefined) return yield* wrong
    const vectors = choose.embeds ? yield* encoder!.embed(examples.map(({ input }) => input), "passage") : undefined
    const ranking = choose.from(poolOf(examples, vectors), count)
    const put = (query: string, rows: ReadonlyArray<number>): FewShotPrompt => {
      const own = rows.toReversed()
      return { text: format.prompt(query, own.map((row) => examples[row])), examples: own }
    }
    const prompt = (query: string, vector: Float32Array | undefined): FewShotPrompt => {
      const rows = ranking(vector)
      if (maxTokens === undefined) return put(query, rows)
      let length = 0
      for (let most = rows.length; most > 0; most--) {
        const made = put(query, rows.slice(0, most))
        length = tokenizer!.encode(made.text).length
        if (length <= maxTokens) return made
      }
      const message =
        `maxTokens is ${maxTokens}, and a prompt with one example has ${length} tokens: raise it, or give ` +
        "shorter examples"
      throw new DataError({ reason: "TooLong", message })
    }
    return {
      prompts: (queries) =>
        Effect.gen(function* () {
          const vectors = choose.embeds ? yield* encoder!.embed(queries, "query") : undefined
          return yield* attempt(() => queries.map((query, i) => prompt(query, vectors?.[i])))
        }),
    }
  })
}

function wrongExamples(examples: ReadonlyArray<Example>, labels: ReadonlyArray<string>): DataError | undefined {
  if (examples.length === 0) {
    return new DataError({ reason: "Empty", message: "there are no examples: give at least one" })
  }
  const known = new Set(examples.map(({ output }) => output))
  const without = labels.filter((label) => !known.has(label))
  if (without.length === 0) return undefined
  const message = `no example has the label ${quoted(without)}; the examples have ${quoted(known)}`
  return new DataError({ reason: "Label", message })
}

function wrongNeeds(
  { name, embeds }: Choice,
  encoder: Encoder | undefined,
  maxTokens: number | undefined,
  tokenizer: Tokenizer | undefined,
): DataError | undefined {
  const message = embeds && encoder === undefined
    ? `the choice "${name}" looks at vectors: give an encoder`
    : maxTokens !== undefined && tokenizer === undefined
    ? "maxTokens counts tokens: give the model's tokenizer"
    : undefined
  return message === undefined ? undefined : new DataError({ reason: "BadInput", message })
}

/** Examples as a pool: their answers are their labels. */
const poolOf = (examples: ReadonlyArray<Example>, vectors: ReadonlyArray<Float32Array> | undefined): Pool => ({
  labels: examples.map(({ output }) => output),
  ...vectors === undefined ? {} : { vectors: vectorsOf(vectors) },
})
