import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { brief } from "../../../core/options/mod.ts"

/** What an {@link ApiError} holds. */
export interface ApiErrorFields {
  /** Status of HTTP. */
  readonly status: 400 | 401 | 404 | 408 | 409 | 413 | 415 | 429 | 500 | 503 | 504
  /** What was given, what is allowed, what to do. */
  readonly message: string
  /** The field of the request that is wrong. Default: none. */
  readonly param?: string
  /** A word for programs, such as `model_not_found`. Default: none. */
  readonly code?: string
  /** Seconds after which another try has better prospects. Default: none. */
  readonly retryAfter?: number
}

/** Characters of a message, at most. */
const LONGEST = 2000

const TYPES: Readonly<Partial<Record<ApiErrorFields["status"], string>>> = {
  401: "authentication_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
  504: "timeout_error",
}

/** An answer that says what is wrong, in the form of OpenAI's: `{ error: { message, type, param, code } }`. */
export class ApiError extends Data.Error<ApiErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "ApiError" = "ApiError"
  /** Shown in stack traces. */
  override readonly name: string = "ApiError"
  /** The body of the answer. */
  get body(): { readonly error: Readonly<Record<"message" | "type" | "param" | "code", string | null>> } {
    const { status, message, param, code = null } = this
    return {
      error: {
        message: brief(message, LONGEST),
        type: TYPES[status] ?? "invalid_request_error",
        param: param === undefined ? null : brief(param),
        code,
      },
    }
  }
  /** The answer, where a route of `effect/http` fails with this. */
  [HttpServerRespondable.symbol](): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const { status, retryAfter } = this
    const headers = retryAfter === undefined ? {} : { "retry-after": `${retryAfter}` }
    return Effect.succeed(HttpServerResponse.jsonUnsafe(this.body, { status, headers }))
  }
}

/** The error for a field that cannot be used. */
export const badField = (param: string, message: string, code?: string): ApiError =>
  new ApiError({ status: 400, message, param, ...code === undefined ? {} : { code } })
