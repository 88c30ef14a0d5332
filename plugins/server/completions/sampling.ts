/**
 * Fields of both kinds of completions: how answers are drawn, where they end, how they are sent.
 * @module
 */
import { field, mustBe, type OptionTable, type Resolved } from "../../../core/options/mod.ts"
import type { AnswerOptions } from "../served.ts"

/** Fields that chats and texts have alike. */
export interface Sampling {
  readonly n?: number
  readonly temperature?: number
  readonly top_p?: number
  readonly top_k?: number
  readonly min_p?: number
  readonly repetition_penalty?: number
  readonly seed?: number
  readonly stop?: string | ReadonlyArray<string>
  readonly stop_token_ids?: ReadonlyArray<number>
  readonly stream?: boolean
  readonly stream_options?: { readonly include_usage?: boolean; readonly include_obfuscation?: boolean }
  readonly response_format?: { readonly type: string; readonly json_schema?: { readonly schema?: unknown } }
}

/** Those without a default. */
export type Open = "top_k" | "seed" | "stream_options" | "response_format"

/** Texts that end an answer, and ids that do, at most: each token is compared with all of them. */
const MOST_TEXTS = 64, MOST_IDS = 1024

const stop = (value: unknown, at: string) => {
  const all = [value].flat()
  return all.length <= MOST_TEXTS && all.every((one) => typeof one === "string" && one !== "")
    ? []
    : [mustBe(at, `a text or a list of up to ${MOST_TEXTS} texts, none of them empty`, value)]
}

const stopIds = (value: unknown, at: string) =>
  Array.isArray(value) && value.length <= MOST_IDS && value.every((id) => Number.isSafeInteger(id) && id >= 0)
    ? []
    : [mustBe(at, `a list of up to ${MOST_IDS} token ids`, value)]

const isSchema = (value: unknown) => typeof value === "boolean" || (typeof value === "object" && value !== null)

const format = (value: unknown, at: string) => {
  const { type, json_schema: own } = (value ?? {}) as NonNullable<Sampling["response_format"]>
  if (type === "text" || type === "json_object") return []
  if (type !== "json_schema") return [mustBe(`${at}.type`, '"text", "json_object" or "json_schema"', type)]
  return isSchema(own?.schema) ? [] : [mustBe(`${at}.json_schema.schema`, "a JSON Schema", own?.schema)]
}

/** {@link Sampling} as a table. */
export const SAMPLING: OptionTable<Sampling, Open> = {
  n: field.integer({ minimum: 1, maximum: 128, default: 1 }),
  temperature: field.number({ minimum: 0, maximum: 2, default: 1 }),
  top_p: field.number({ exclusiveMinimum: 0, maximum: 1, default: 1 }),
  top_k: field.integer({ minimum: -1 }),
  min_p: field.number({ minimum: 0, maximum: 1, default: 0 }),
  repetition_penalty: field.number({ exclusiveMinimum: 0, default: 1 }),
  seed: field.integer({ minimum: 0 }),
  stop: field.opaque<string | ReadonlyArray<string>>()({ default: [], faults: stop }),
  stop_token_ids: field.opaque<ReadonlyArray<number>>()({ default: [], faults: stopIds }),
  stream: field.boolean({ default: false }),
  stream_options: field.record<NonNullable<Sampling["stream_options"]>>()({
    include_usage: field.boolean({}),
    include_obfuscation: field.boolean({}),
  }, {}),
  response_format: field.opaque<NonNullable<Sampling["response_format"]>>()({ faults: format }),
}

/** Fields that only may have the values that change nothing. */
export const NEUTRAL: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  presence_penalty: [0],
  frequency_penalty: [0],
  logit_bias: [{}],
}

/** What the form of an answer is. */
function formOf({ response_format: format }: Pick<Sampling, "response_format">): Pick<AnswerOptions, "form"> {
  if (format === undefined || format.type === "text") return {}
  return { form: { schema: format.type === "json_object" ? { type: "object" } : format.json_schema!.schema } }
}

/** The options of an answer. Without a temperature nothing is drawn, and what else is said of draws plays no part. */
export function drawing(
  asked: Resolved<Sampling, Open>,
): Omit<AnswerOptions, "maxTokens" | "stream" | "adapter" | "logProbabilities"> {
  const { temperature, top_p: topP, top_k: topK = 0, min_p: minP, repetition_penalty: repetitionPenalty } = asked
  return {
    stop: [asked.stop].flat(),
    stopTokens: asked.stop_token_ids,
    temperature,
    repetitionPenalty,
    seed: asked.seed ?? crypto.getRandomValues(new Uint32Array(1))[0],
    ...temperature === 0 ? {} : { topP, minP, ...topK > 0 ? { topK } : {} },
    ...formOf(asked),
  }
}
