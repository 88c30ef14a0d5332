import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as ByteSize from "effect/ByteSize"
import { ApiError } from "./api_error.ts"

/** An object of JSON. */
export type Json = Readonly<Record<string, unknown>>

/** What a body may be. */
export interface BodyLimits {
  /** Most bytes. */
  readonly maxBodyBytes: number
  /** Most seconds until all of it is there. */
  readonly bodySeconds: number
}

const wrong = (status: 400 | 408 | 413 | 415, message: string) => new ApiError({ status, message })

/** Most lists and objects within each other. */
const LEVELS = 200

/** How many lists and objects stand within each other in a text of JSON. */
function levelsOf(json: Uint8Array): number {
  const [QUOTE, BACKSLASH] = [0x22, 0x5c]
  let [depth, deepest, quoted] = [0, 0, false]
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (byte === QUOTE) quoted = !quoted
    else if (quoted) i += byte === BACKSLASH ? 1 : 0
    // [ and { are a bit from ] and } apart.
    else if ((byte | 0x20) === 0x7b) deepest = Math.max(deepest, ++depth)
    else if ((byte | 0x20) === 0x7d) depth--
  }
  return deepest
}

/** The body of a request, an object of JSON. */
export function readBody(
  { maxBodyBytes, bodySeconds }: BodyLimits,
): Effect.Effect<Json, ApiError, HttpServerRequest.HttpServerRequest> {
  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    // A page of another origin may send other types without being asked about.
    const type = request.headers["content-type"] ?? ""
    if (!/^application\/json *(;|$)/i.test(type)) {
      return yield* wrong(415, `content-type must be application/json, got ${JSON.stringify(type)}`)
    }
    const length = Number(request.headers["content-length"] ?? 0)
    const large = wrong(413, `the body may have at most ${maxBodyBytes} bytes`)
    if (length > maxBodyBytes) return yield* large
    const late = () => wrong(408, `the body was not there within ${bodySeconds} seconds`)
    const bytes = yield* request.arrayBuffer.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBodyBytes)),
      Effect.mapError(({ reason }) =>
        reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
          ? large
          : wrong(400, "the body could not be read")
      ),
      Effect.timeoutOrElse({ duration: bodySeconds * 1000, orElse: () => Effect.fail(late()) }),
    )
    const value = yield* Effect.try({
      try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
      catch: (cause) => wrong(400, `the body must be JSON: ${(cause as Error).message}`),
    })
    if (levelsOf(new Uint8Array(bytes)) > LEVELS) {
      return yield* wrong(400, `the body may have at most ${LEVELS} lists and objects within each other`)
    }
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json
    return yield* wrong(400, `the body must be an object of JSON`)
  })
}
