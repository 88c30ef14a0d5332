import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import {
  answer,
  type AnswerOptions,
  type AnswerPart,
  type Constraint,
  type Engine,
  jsonSchema,
} from "../../core/inference/text/mod.ts"
import { type ChatTemplate, endOf, type Message, promptOf } from "../chat/mod.ts"

/** What a language model is made of, and how it writes. */
export interface LanguageModelOptions extends Omit<AnswerOptions, "constraint" | "onToken" | "logProbabilities"> {
  /** The engine; other rows may run in it too. */
  readonly engine: Engine
  /** The tokenizer of its model. */
  readonly tokenizer: Tokenizer
  /** The chat template of its model. */
  readonly chat: ChatTemplate
}

type Method = "generateText" | "streamText"

const failed = (method: Method, reason: AiError.AiErrorReason) =>
  AiError.make({ module: "LanguageModel", method, reason })
const refused = (method: Method, description: string) =>
  failed(method, new AiError.InvalidUserInputError({ description }))

/**
 * Effect's `LanguageModel` by an engine: `generateText`, `streamText`, and `generateObject`, whose text is held to the JSON Schema
 * of the object's schema. Tools, files and images are refused.
 */
export const languageModel = (options: LanguageModelOptions): Layer.Layer<LanguageModel.LanguageModel> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: (asked) =>
        Effect.gen(function* () {
          const { parts, usage } = yield* asking(options, asked, "generateText")
          const all = yield* Stream.runCollect(parts)
          if (asked.responseFormat.type === "json" && all.at(-1)?.end?.reason === "length") {
            const description = `the object is not whole after ${options.maxNewTokens ?? 64} tokens: raise maxNewTokens`
            return yield* failed("generateText", new AiError.InvalidOutputError({ description }))
          }
          const text = all.map(({ text }) => text).join("")
          return [{ type: "text" as const, text }, finish(all, usage)]
        }),
      streamText: (asked) =>
        Stream.unwrap(Effect.map(asking(options, asked, "streamText"), ({ parts, usage }) => {
          const id = "text"
          const seen: Array<AnswerPart> = []
          const pieces = Stream.map(parts, (part): Response.StreamPartEncoded => {
            seen.push(part)
            return { type: "text-delta", id, delta: part.text }
          })
          const ends = Stream.suspend(() =>
            Stream.fromIterable<Response.StreamPartEncoded>([{ type: "text-end", id }, finish(seen, usage)])
          )
          return Stream.concat(
            Stream.concat(Stream.succeed<Response.StreamPartEncoded>({ type: "text-start", id }), pieces),
            ends,
          )
        })),
    }),
  )

/** The answer to what is asked, in parts. */
function asking(
  { engine, tokenizer, chat, ...options }: LanguageModelOptions,
  { prompt, tools, responseFormat: format }: LanguageModel.ProviderOptions,
  method: Method,
) {
  return Effect.gen(function* () {
    if (tools.length > 0) return yield* refused(method, "this model calls no tools")
    const messages = yield* messagesOf(prompt, method)
    const text = yield* Effect.mapError(promptOf(chat, messages), ({ message }) => refused(method, message))
    const ids = tokenizer.encode(text, { addSpecialTokens: false })
    const ends = [...endOf(chat, tokenizer), ...tokenizer.eosId === undefined ? [] : [tokenizer.eosId]]
    const stop = options.stop ?? ends
    const held: { readonly constraint?: Constraint } = format.type === "text" ? {} : {
      constraint: (yield* Effect.mapError(
        jsonSchema(tokenizer, schemaOf(format.schema), { stop }),
        ({ message }) => failed(method, new AiError.UnsupportedSchemaError({ description: message })),
      )).constraint(),
    }
    const parts = Stream.mapError(
      answer(engine, tokenizer, ids, { ...options, ...held, stop }),
      ({ _tag, message }) =>
        _tag === "BackendError"
          ? failed(method, new AiError.InternalProviderError({ description: message }))
          : refused(method, message),
    )
    return { parts, usage: ids.length }
  })
}

/** The JSON Schema of what is asked for, without properties that it does not name. */
function schemaOf(schema: Schema.Top): object {
  const { schema: own, definitions } = Schema.toJsonSchemaDocument(schema, { onExcessProperty: "error" })
  return { ...own, $defs: definitions }
}

/** Messages as a chat template reads them. */
function messagesOf(
  { content }: Prompt.Prompt,
  method: Method,
): Effect.Effect<ReadonlyArray<Message>, AiError.AiError> {
  return Effect.forEach(content, ({ role, content }) => {
    const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : content
    const other = parts.find(({ type }) => type !== "text")
    if (other !== undefined) {
      return Effect.fail(refused(method, `a ${role} message holds a ${other.type} part: only text is read`))
    }
    return Effect.succeed({ role, content: parts.map((part) => "text" in part ? part.text : "").join("") })
  })
}

function finish(parts: ReadonlyArray<AnswerPart>, prompt: number): Response.FinishPartEncoded {
  const total = parts.reduce((sum, { tokens }) => sum + tokens.length, 0)
  return {
    type: "finish",
    reason: parts.at(-1)?.end?.reason === "length" ? "length" : "stop",
    usage: {
      inputTokens: { total: prompt, uncached: prompt },
      outputTokens: { total, text: total },
    },
  }
}
