/**
 * Monitors of what `serve.ts` serves, and their pages.
 * @module
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { escapeHtml } from "../core/report/html.ts"
import { DataError, type Model } from "../mod.ts"
import * as Monitor from "../plugins/monitor/mod.ts"
import type * as Server from "../plugins/server/mod.ts"

/** Reads the profiles of flags `name=folder`, by name. */
export const readProfiles = (flags: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const profiles = new Map<string, Monitor.Profile>()
    for (const flag of flags) {
      const [name, ...folder] = flag.split("=")
      if (profiles.has(name)) {
        return yield* new DataError({ reason: "BadInput", message: `--monitor: "${name}" has two profiles; give one` })
      }
      profiles.set(name, yield* Monitor.loadProfile(folder.join("=")))
    }
    return profiles
  })

/** Watches a classifier and its adapters, each with the profile of its name; gives what is served in its place. */
export const watch = (served: Server.Served, model: Model.Model, profiles: ReadonlyMap<string, Monitor.Profile>) =>
  Effect.gen(function* () {
    const monitors: Array<Monitor.Watched> = []
    for (const [name, profile] of profiles) {
      if (name !== served.id && !served.adapters?.loaded().has(name)) {
        const names = [served.id, ...served.adapters?.loaded().keys() ?? []].join(", ")
        const message = `--monitor ${name}=...: the classifier and its adapters are ${names}`
        return yield* new DataError({ reason: "BadInput", message })
      }
      const own = name === served.id ? {} : { adapter: name }
      monitors.push(yield* Monitor.watched(monitors.at(-1)?.served ?? served, model, profile, own))
    }
    return { served: monitors.at(-1)?.served ?? served, monitors }
  })

const page = (html: () => string) => Effect.sync(() => HttpServerResponse.html(html()))
const pathOf = ({ name }: Monitor.Watched) => `/monitor/${encodeURIComponent(name)}` as const

/** A list of monitors at `/monitor`, and the page of each at `/monitor/NAME`. */
export const monitorPages = (monitors: ReadonlyArray<Monitor.Watched>) => {
  const list = `<!doctype html><meta charset="utf-8"><title>Monitors</title><ul>${
    monitors.map((one) => `<li><a href="${pathOf(one)}">${escapeHtml(one.name)}</a></li>`).join("")
  }</ul>`
  const pages = monitors.map((one) =>
    HttpRouter.add(
      "GET",
      pathOf(one),
      page(() => Monitor.monitorPage({ ...one, title: one.name, events: one.windows() })),
    )
  )
  return Layer.mergeAll(HttpRouter.add("GET", "/monitor", page(() => list)), ...pages)
}
