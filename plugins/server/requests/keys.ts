import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import { ApiError } from "./api_error.ts"

const digest = async (text: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))

/** Compared to the end, so that the time does not tell how much of a key is right. */
const same = (a: Uint8Array, b: Uint8Array): boolean => a.reduce((sum, byte, i) => sum | (byte ^ b[i]), 0) === 0

/** Lets requests with one of the keys (`Authorization: Bearer KEY`) pass; all, where there are none. */
export function keyCheck(
  keys: ReadonlyArray<string>,
): Effect.Effect<void, ApiError, HttpServerRequest.HttpServerRequest> {
  if (keys.length === 0) return Effect.void
  const known = Promise.all(keys.map(digest))
  return Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const [, given = ""] = /^Bearer +(.+)$/i.exec(headers.authorization ?? "") ?? []
    const own = yield* Effect.promise(() => digest(given))
    const isKnown = (yield* Effect.promise(() => known)).map((key) => same(key, own)).includes(true)
    if (isKnown) return
    const message = "a key is required: send the header Authorization: Bearer KEY with one that the server knows"
    return yield* new ApiError({ status: 401, message, code: "invalid_api_key" })
  })
}
