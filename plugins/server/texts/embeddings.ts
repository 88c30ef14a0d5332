import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Base64 from "effect/encoding/Base64"
import { field } from "../../../core/options/mod.ts"
import { find } from "../find.ts"
import { tokens as count } from "../metrics.ts"
import { badField } from "../requests/api_error.ts"
import { MODEL, readFields, type RequestTable } from "../requests/fields.ts"
import type { Routes } from "../requests/route.ts"
import { withinSeconds } from "../requests/time_limit.ts"
import type { ServerSettings } from "../options.ts"
import { INPUT, textsOf } from "./input.ts"

interface Asked {
  readonly model: string
  readonly input: string | ReadonlyArray<string>
  readonly encoding_format?: "float" | "base64"
  readonly dimensions?: number
}

const ASKED: RequestTable<Asked, "dimensions"> = {
  table: {
    model: MODEL,
    input: INPUT,
    encoding_format: field.choice(["float", "base64"], { default: "float" }),
    dimensions: field.integer({ minimum: 1 }),
  },
  neutral: {},
}

/** Little-endian bytes of the numbers, as base64: what openai's clients ask for. */
const packed = (numbers: Float32Array): string => {
  const bytes = new DataView(new ArrayBuffer(4 * numbers.length))
  numbers.forEach((number, i) => bytes.setFloat32(4 * i, number, true))
  return Base64.encode(new Uint8Array(bytes.buffer))
}

/** `/v1/embeddings`. */
export const embeddingsRoute = (routes: Routes, { models, answerSeconds }: ServerSettings): Effect.Effect<void> =>
  routes.post("/v1/embeddings", (body) =>
    Effect.gen(function* () {
      const { model, input, encoding_format: form, dimensions } = readFields(ASKED, body)
      const { served, can, adapter } = find(models, model, "embeds")
      yield* served.places.take(1)
      const { results, tokens } = yield* can(textsOf(input), adapter).pipe(withinSeconds(answerSeconds))
      const width = results[0].length
      if (dimensions !== undefined && dimensions !== width) {
        return yield* badField("dimensions", `dimensions must be ${width}, as the model has them, got ${dimensions}`)
      }
      yield* count(model, tokens, 0)
      const data = results.map((numbers, index) => ({
        object: "embedding",
        index,
        embedding: form === "base64" ? packed(numbers) : Array.from(numbers),
      }))
      const usage = { prompt_tokens: tokens, total_tokens: tokens }
      return HttpServerResponse.jsonUnsafe({ object: "list", model, data, usage })
    }))
