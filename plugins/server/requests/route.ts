import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpServerRespondable from "effect/http/HttpServerRespondable"
import type * as Scope from "effect/Scope"
import { answered } from "../metrics.ts"
import { ApiError } from "./api_error.ts"
import { type BodyLimits, type Json, readBody } from "./body.ts"
import { OWN_FAULT, toApiError } from "./to_api_error.ts"

/** What a handler needs: the request, and a scope that ends with its answer, whole or not. */
export type Needs = HttpServerRequest.HttpServerRequest | HttpRouter.RouteContext | Scope.Scope

/** What answers a request. */
export type Handler<E = unknown> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, Needs>

/** Status of a request whose client left before its answer. */
const LEFT = 499

/** The error that a client gets; what it is not told of is logged. */
function told(cause: Cause.Cause<unknown>): Effect.Effect<ApiError> {
  const [reason] = cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
  const isFail = Cause.isFailReason(reason), thrown = isFail ? reason.error : reason?.defect
  const known = isFail || thrown instanceof ApiError ? toApiError(thrown) : undefined
  return known === undefined ? Effect.as(Effect.logError(cause), OWN_FAULT) : Effect.succeed(known)
}

/** A handler whose errors are answers, and whose requests are counted. */
export function guarded(route: string, handler: Handler): Handler<never> {
  return Effect.suspend(() => {
    const since = performance.now()
    let status = LEFT
    const end = (exit: Exit.Exit<unknown, unknown>) =>
      answered(
        route,
        Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? LEFT : status,
        (performance.now() - since) / 1000,
      )
    return Effect.addFinalizer(end).pipe(
      Effect.andThen(handler),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.flatMap(told(cause), HttpServerRespondable.toResponse)
      ),
      Effect.tap((response) => Effect.sync(() => status = response.status)),
    )
  })
}

/** What a stream that has begun ends with where it fails. */
export const toldInStream = told

/** Adds routes that want a key. */
export interface Routes {
  readonly get: (path: HttpRouter.PathInput, handler: Handler) => Effect.Effect<void>
  readonly post: (path: HttpRouter.PathInput, handler: (body: Json) => Handler) => Effect.Effect<void>
}

/** Routes of a router. */
export function routesOf(
  router: HttpRouter.HttpRouter,
  check: Effect.Effect<void, ApiError, HttpServerRequest.HttpServerRequest>,
  limits: BodyLimits,
): Routes {
  return {
    get: (path, handler) => router.add("GET", path, guarded(path, Effect.andThen(check, handler))),
    post: (path, handler) => {
      const whole = check.pipe(Effect.andThen(readBody(limits)), Effect.flatMap(handler))
      return router.add("POST", path, guarded(path, whole))
    },
  }
}
