import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { brief } from "../../core/options/mod.ts"
import { ApiError } from "./requests/api_error.ts"
import type { Routes } from "./requests/route.ts"
import type { Served } from "./served.ts"

/** `/v1/models`: models and adapters, these with the model that they change as their parent, as vLLM lists them. */
export function modelsRoutes(routes: Routes, models: ReadonlyArray<Served>): Effect.Effect<void> {
  const created = Math.floor(Date.now() / 1000)
  const one = (id: string, root: string, parent: string | null, more: object = {}) => ({
    id,
    object: "model",
    created,
    owned_by: "espalier",
    root,
    parent,
    ...more,
  })
  const all = () =>
    models.flatMap(({ id, adapters, writes }) => [
      one(id, id, null, writes === undefined ? {} : { max_model_len: writes.maxPositions }),
      ...[...adapters?.loaded() ?? []].map(([name, folder]) => one(name, folder, id)),
    ])
  return Effect.andThen(
    routes.get("/v1/models", Effect.sync(() => HttpServerResponse.jsonUnsafe({ object: "list", data: all() }))),
    routes.get(
      "/v1/models/:id",
      Effect.gen(function* () {
        const { id = "" } = yield* Effect.service(HttpRouter.RouteContext).pipe(Effect.map(({ params }) => params))
        const found = all().find((model) => model.id === id)
        if (found !== undefined) return HttpServerResponse.jsonUnsafe(found)
        const message = `the model ${brief(JSON.stringify(id))} is not there: GET /v1/models lists those that are`
        return yield* new ApiError({ status: 404, message, param: "model", code: "model_not_found" })
      }),
    ),
  )
}
