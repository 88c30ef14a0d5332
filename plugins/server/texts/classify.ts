import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { find } from "../find.ts"
import { tokens as count } from "../metrics.ts"
import { newId } from "../requests/new_id.ts"
import { MODEL, readFields, type RequestTable } from "../requests/fields.ts"
import type { Routes } from "../requests/route.ts"
import { withinSeconds } from "../requests/time_limit.ts"
import type { ServerSettings } from "../options.ts"
import { INPUT, textsOf } from "./input.ts"

interface Asked {
  readonly model: string
  readonly input: string | ReadonlyArray<string>
}

const ASKED: RequestTable<Asked, never> = { table: { model: MODEL, input: INPUT }, neutral: {} }

/** `/v1/classify`, with the fields and answers of vLLM. */
export const classifyRoute = (routes: Routes, { models, answerSeconds }: ServerSettings): Effect.Effect<void> =>
  routes.post("/v1/classify", (body) =>
    Effect.gen(function* () {
      const { model, input } = readFields(ASKED, body)
      const { served, can, adapter } = find(models, model, "classifies")
      yield* served.places.take(1)
      const { results, tokens } = yield* can(textsOf(input), adapter).pipe(withinSeconds(answerSeconds))
      yield* count(model, tokens, 0)
      const data = results.map(({ label, probabilities, scores }, index) => ({
        index,
        label,
        ...probabilities === undefined ? {} : { probs: probabilities, num_classes: probabilities.length },
        ...scores === undefined ? {} : { scores },
      }))
      const usage = { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens }
      return HttpServerResponse.jsonUnsafe({ ...newId("classify"), object: "list", model, data, usage })
    }))
