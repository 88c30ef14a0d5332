import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { type Fault, faultsOf, field, type Fields, mustBe, type Resolved } from "../../../core/options/mod.ts"
import { GrammarError } from "../../../core/inference/text/mod.ts"
import type { Message } from "../../chat/mod.ts"
import { type Calling, callingOf } from "../calls/calling.ts"
import { TOOLS_FIELDS, type ToolsFields, withoutNull } from "../calls/tools_fields.ts"
import { withObjects } from "../calls/with_objects.ts"
import { find, type Found } from "../find.ts"
import type { ServerSettings } from "../options.ts"
import { badField } from "../requests/api_error.ts"
import { MODEL, readFields, type RequestTable } from "../requests/fields.ts"
import type { Routes } from "../requests/route.ts"
import { begin } from "./begin.ts"
import { chatSpelling } from "./chat_spelling.ts"
import { reply } from "./reply.ts"
import { drawing, NEUTRAL, type Open, SAMPLING, type Sampling } from "./sampling.ts"

interface Asked extends Sampling, ToolsFields {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly max_tokens?: number
  readonly max_completion_tokens?: number
  readonly logprobs?: boolean
  readonly top_logprobs?: number
  /** Variables of the chat template, as vLLM has them. */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>
}

const ROLES = ["system", "developer", "user", "assistant", "tool"]

/** A message: what templates read, and what clients send back of an answer. Null says nothing. */
const MESSAGE: Fields = {
  role: { enum: ROLES, required: true },
  name: { type: "string" },
  tool_call_id: { type: "string" },
  tool_calls: { type: "array", items: { type: "object" } },
  reasoning_content: { type: "string" },
  reasoning: { type: "string" },
  thinking: { type: "string" },
  annotations: { faults: (value, at) => isEmpty(value) ? [] : [mustBe(at, "an empty list", value)] },
}

/** A part of a content. */
const PART: Fields = { type: { enum: ["text"], required: true }, text: { type: "string", required: true } }

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const contentFaults = (content: unknown, calls: unknown, at: string): ReadonlyArray<Fault> => {
  if (typeof content === "string" || (content ?? null) === null && Array.isArray(calls) && calls.length > 0) return []
  if (!Array.isArray(content)) return [mustBe(at, "a text", content)]
  return content.flatMap((part, i) =>
    isObject(part) && part.type === "text"
      ? faultsOf(PART, withoutNull(part), `${at}[${i}]`)
      : [mustBe(`${at}[${i}]`, 'a text: { type: "text", text }', part)]
  )
}

const messages = (value: unknown, at: string): ReadonlyArray<Fault> => {
  if (!Array.isArray(value) || value.length === 0) return [mustBe(at, "a list of messages", value)]
  return value.flatMap((one, i) => {
    const place = `${at}[${i}]`
    if (!isObject(one)) return [mustBe(place, "a message: { role, content }", one)]
    const { content, ...rest } = one
    const faults = faultsOf(MESSAGE, withoutNull(rest), place)
    return faults.length > 0 ? faults : contentFaults(content, one.tool_calls, `${place}.content`)
  })
}

/** Fields without a default. */
type Optional =
  | Open
  | "tools"
  | "tool_choice"
  | "max_tokens"
  | "max_completion_tokens"
  | "top_logprobs"
  | "chat_template_kwargs"

const ASKED: RequestTable<Asked, Optional> = {
  table: {
    ...SAMPLING,
    ...TOOLS_FIELDS,
    model: MODEL,
    messages: field.opaque<ReadonlyArray<Message>>()({ required: true, faults: messages }),
    max_tokens: field.integer({ minimum: 1 }),
    max_completion_tokens: field.integer({ minimum: 1 }),
    logprobs: field.boolean({ default: false }),
    top_logprobs: field.integer({ minimum: 0, maximum: 20 }),
    chat_template_kwargs: { type: "object" },
  },
  neutral: { ...NEUTRAL, functions: [[]], modalities: [["text"]] },
}

/** A message whose parts are one text, and an empty one where there are calls alone. */
const joined = (message: Message): Message => {
  const content = message.content as string | null | undefined | ReadonlyArray<{ readonly text: string }>
  const text = Array.isArray(content) ? content.map(({ text }) => text).join("") : content ?? ""
  return { ...message, content: text as string }
}

/** Says of errors of a form whose they are. */
const ofTools = (error: unknown): unknown =>
  error instanceof GrammarError ? badField("tools", `an answer cannot be held to the tools: ${error.message}`) : error

/** What is asked about calls. Throws ApiError. */
function callingIn(asked: Resolved<Asked, Optional>, { can }: Found<"writes">): Calling | undefined {
  const calling = callingOf(asked, can.calls)
  const { type = "text" } = asked.response_format ?? {}
  if (calling === undefined || type === "text") return calling
  const message = "response_format holds all of an answer, which could not call tools: leave it or tools out"
  throw badField("response_format", message)
}

/** `/v1/chat/completions`. */
export const chatRoute = (routes: Routes, settings: ServerSettings): Effect.Effect<void> =>
  routes.post("/v1/chat/completions", (body) =>
    Effect.gen(function* () {
      const asked = readFields(ASKED, body)
      const { model, logprobs, top_logprobs: alternatives = 0, max_tokens, max_completion_tokens, stream } = asked
      if (alternatives > 0 && !logprobs) return yield* badField("top_logprobs", "top_logprobs needs logprobs: true")
      const found = find(settings.models, model, "writes")
      const calling = callingIn(asked, found)
      const prompt = yield* found.can.chat(asked.messages.map((one, i) => withObjects(joined(one), `messages[${i}]`)), {
        ...asked.chat_template_kwargs && { variables: asked.chat_template_kwargs },
        ...calling && { tools: calling.tools, begin: calling.begin },
      })
      const options = { ...drawing(asked), ...calling?.options, ...logprobs ? { logProbabilities: alternatives } : {} }
      const answers = yield* begin(found, {
        prompts: [prompt],
        promptField: "messages",
        n: asked.n,
        maxTokens: max_completion_tokens ?? max_tokens,
        maxTokensField: max_completion_tokens === undefined ? "max_tokens" : "max_completion_tokens",
        options,
      }, settings).pipe(calling === undefined ? identity : Effect.mapError(ofTools))
      const includeUsage = asked.stream_options?.include_usage ?? false
      const readers = Array.from({ length: asked.n }, () => calling?.reader())
      const about = { model, promptTokens: prompt.length, stream, includeUsage }
      return yield* reply(answers, chatSpelling(logprobs, readers), about)
    }))
