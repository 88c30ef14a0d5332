import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { attempt } from "../../core/contracts/attempt.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { checkOptions, withDefaults } from "../../core/options/mod.ts"
import { adapterRoutes } from "./adapters/routes.ts"
import { chatRoute } from "./completions/chat.ts"
import { textsRoute } from "./completions/texts.ts"
import { levels } from "./metrics.ts"
import { modelsRoutes } from "./models_routes.ts"
import { SERVER_OPTIONS, type ServerOptions, type ServerSettings } from "./options.ts"
import { ApiError } from "./requests/api_error.ts"
import { keyCheck } from "./requests/keys.ts"
import { guarded, routesOf } from "./requests/route.ts"
import { classifyRoute } from "./texts/classify.ts"
import { embeddingsRoute } from "./texts/embeddings.ts"

const unknownRoute = Effect.gen(function* () {
  const message = "there is no such route: they are below /v1, and /health and /metrics"
  return yield* new ApiError({ status: 404, message, code: "unknown_route" })
})

const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"

type Response = HttpServerResponse.HttpServerResponse

/** Answers where no route is found: an error of the router's own, of which its types do not tell. */
const toldOfRoutes =
  ((handler: Effect.Effect<Response, unknown>) =>
    Effect.catchIf(handler, isRouteNotFound, () => guarded("*", unknownRoute))) as <E>(
      handler: Effect.Effect<Response, E>,
    ) => Effect.Effect<Response, E>

/**
 * The routes of a server, in a router of `effect/http`: that of `HttpRouter.serve` on Node, or of `HttpRouter.toWebHandler`
 * wherever there is `fetch`.
 */
export function layer(
  options: ServerOptions,
): Layer.Layer<never, PluginError, HttpRouter.HttpRouter | FileSystem.FileSystem> {
  return Layer.effectDiscard(Effect.gen(function* () {
    yield* attempt(() => checkOptions("server", SERVER_OPTIONS, options), PluginError)
    const settings: ServerSettings = withDefaults(SERVER_OPTIONS, options)
    const { models, keys } = settings
    const router = yield* HttpRouter.HttpRouter
    const routes = routesOf(router, keyCheck(keys), settings)
    yield* router.add("GET", "/health", Effect.succeed(HttpServerResponse.jsonUnsafe({ status: "ok" })))
    const measured = Effect.andThen(levels(models), PrometheusMetrics.format())
    const contentType = "text/plain; version=0.0.4; charset=utf-8"
    yield* router.add("GET", "/metrics", Effect.map(measured, (text) => HttpServerResponse.text(text, { contentType })))
    yield* router.addGlobalMiddleware(toldOfRoutes)
    yield* modelsRoutes(routes, models)
    yield* chatRoute(routes, settings)
    yield* textsRoute(routes, settings)
    yield* embeddingsRoute(routes, settings)
    yield* classifyRoute(routes, settings)
    yield* adapterRoutes(routes, settings)
  }))
}
