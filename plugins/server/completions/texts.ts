import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { field, mustBe } from "../../../core/options/mod.ts"
import { find, type Found } from "../find.ts"
import type { ServerSettings } from "../options.ts"
import { badField } from "../requests/api_error.ts"
import { MODEL, readFields, type RequestTable } from "../requests/fields.ts"
import type { Routes } from "../requests/route.ts"
import { withinSeconds } from "../requests/time_limit.ts"
import type { ScoredToken } from "../served.ts"
import { begin } from "./begin.ts"
import { ofText } from "./log_probs.ts"
import { reply, type Spelling } from "./reply.ts"
import { drawing, NEUTRAL, type Open, SAMPLING, type Sampling } from "./sampling.ts"

type Prompt = string | ReadonlyArray<string> | ReadonlyArray<number> | ReadonlyArray<ReadonlyArray<number>>

interface Asked extends Sampling {
  readonly model: string
  readonly prompt: Prompt
  readonly max_tokens?: number
  readonly echo?: boolean
  readonly logprobs?: number
}

const isIds = (value: unknown): value is ReadonlyArray<number> =>
  Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id) && id >= 0)

const prompt = (value: unknown, at: string) => {
  const all = typeof value === "string" || isIds(value) ? [value] : value
  return Array.isArray(all) && all.length > 0 &&
      all.every((one) => (typeof one === "string" && one !== "") || isIds(one))
    ? []
    : [mustBe(at, "a text, a list of token ids, or a list of these, none of them empty", value)]
}

const ASKED: RequestTable<Asked, Open | "logprobs"> = {
  table: {
    ...SAMPLING,
    model: MODEL,
    prompt: field.opaque<Prompt>()({ required: true, faults: prompt }),
    max_tokens: field.integer({ minimum: 0, default: 16 }),
    echo: field.boolean({ default: false }),
    logprobs: field.integer({ minimum: 0, maximum: 20 }),
  },
  neutral: { ...NEUTRAL, best_of: [1], suffix: [""] },
}

/** A prompt as an answer repeats it. */
interface Echo {
  readonly text: string
  /** Its tokens, where their probabilities are asked for. */
  readonly tokens: ReadonlyArray<ScoredToken>
}

const NONE: Echo = { text: "", tokens: [] }

/** @param echoes What each answer begins with. */
function spelling(logprobs: boolean, echoes: ReadonlyArray<Echo>): Spelling {
  const offsets = echoes.map(() => 0)
  const own = (text: string, tokens: ReadonlyArray<ScoredToken>, index: number) => {
    const offset = offsets[index]
    offsets[index] += tokens.reduce((sum, { text }) => sum + text.length, 0)
    return { text, logprobs: logprobs ? ofText(tokens, offset) : null }
  }
  return {
    kind: "cmpl",
    object: "text_completion",
    chunk: "text_completion",
    whole: ({ text, tokens, finished }, index) => ({
      ...own(echoes[index].text + text, [...echoes[index].tokens, ...tokens], index),
      finish_reason: finished,
    }),
    first: (index) =>
      echoes[index].text === ""
        ? []
        : [{ ...own(echoes[index].text, echoes[index].tokens, index), finish_reason: null }],
    part: ({ text, tokens, finished = null }, index) => ({ ...own(text, tokens, index), finish_reason: finished }),
  }
}

/** Prompts as token ids. */
const idsOf = (given: Prompt, { can }: Found<"writes">): Effect.Effect<ReadonlyArray<Int32Array>, unknown> => {
  const all = (typeof given === "string" || isIds(given) ? [given] : given) as ReadonlyArray<
    string | ReadonlyArray<number>
  >
  return Effect.forEach(all, (one) => {
    if (typeof one === "string") return can.encode(one)
    const beyond = one.find((id) => id >= can.vocabSize)
    if (beyond === undefined) return Effect.succeed(Int32Array.from(one))
    return Effect.fail(badField("prompt", `token ids must be below ${can.vocabSize}, got ${beyond}`))
  })
}

/** Prompts as answers repeat them. */
function repeated(
  prompts: ReadonlyArray<Int32Array>,
  { served, can, adapter }: Found<"writes">,
  logprobs: number | undefined,
  { answerSeconds }: ServerSettings,
): Effect.Effect<ReadonlyArray<Echo>, unknown, Scope.Scope> {
  const texts = prompts.map((ids) => can.decode(ids))
  if (logprobs === undefined) return Effect.succeed(texts.map((text) => ({ text, tokens: [] })))
  return Effect.gen(function* () {
    yield* served.places.take(1)
    const asked = { alternatives: logprobs, ...adapter === undefined ? {} : { adapter } }
    const scores = yield* can.score(prompts, asked).pipe(withinSeconds(answerSeconds))
    return texts.map((text, i) => ({ text, tokens: scores[i] }))
  })
}

/** `/v1/completions`. */
export const textsRoute = (routes: Routes, settings: ServerSettings): Effect.Effect<void> =>
  routes.post("/v1/completions", (body) =>
    Effect.gen(function* () {
      const asked = readFields(ASKED, body)
      const { model, n, logprobs, echo, stream } = asked
      const found = find(settings.models, model, "writes")
      const prompts = yield* idsOf(asked.prompt, found)
      const answers = yield* begin(found, {
        prompts,
        promptField: "prompt",
        n,
        maxTokens: asked.max_tokens,
        maxTokensField: "max_tokens",
        options: { ...drawing(asked), ...logprobs === undefined ? {} : { logProbabilities: logprobs } },
      }, settings)
      const echoes = echo ? yield* repeated(prompts, found, logprobs, settings) : prompts.map(() => NONE)
      const includeUsage = asked.stream_options?.include_usage ?? false
      const promptTokens = prompts.reduce((sum, { length }) => sum + length, 0)
      return yield* reply(
        answers,
        spelling(logprobs !== undefined, echoes.flatMap((one) => Array.from({ length: n }, () => one))),
        { model, promptTokens, stream, includeUsage },
      )
    }))
