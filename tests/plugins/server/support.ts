/**
 * A server over small models, in memory or on a port of this machine.
 * @module
 */
import { assert } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../../core/backend/backend.ts"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { load, type Model } from "../../../core/inference/mod.ts"
import { type Families, layer as familiesLayer } from "../../../core/model/load/families.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Chat from "../../../plugins/chat/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Server from "../../../plugins/server/mod.ts"

/** The included model: 512 positions, byte-level tokens. */
export const SMALL = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname

/** A template as plain as can be. */
export const template: Chat.ChatTemplate = Chat.chatTemplate(
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
)

/** What models need to be loaded. */
export type Services = Backend | Plugins | Families | FileSystem.FileSystem

/** Models that are served. */
export type Models = Effect.Effect<ReadonlyArray<Server.Served>, unknown, Services | Scope.Scope>

/** The included model, which writes. */
export const small: Effect.Effect<Model, unknown, Services | Scope.Scope> = load(SMALL, {
  task: Task.causalLM(),
  frozen: true,
})

/** The included model as `small`, with four answers at once and four that wait. */
export const writer = (more: Partial<Server.WriterOptions> = {}): Models =>
  Effect.flatMap(
    small,
    (model) =>
      Effect.map(Server.writer(model, { name: "small", rows: 4, queue: 4, template, ...more }), (one) => [one]),
  )

/** What answers requests. */
export type Fetch = (request: Request) => Promise<Response>

/** Serves models for a test. */
export async function serving(
  models: Models,
  options: Omit<Server.ServerOptions, "models">,
  use: (fetch: Fetch) => Promise<void>,
): Promise<void> {
  const services = Layer.mergeAll(Wasm.layer({ threads: 1 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const machine = Llama.layer.pipe(Layer.provideMerge(services))
  const routes = Layer.unwrap(Effect.map(models, (models) => Server.layer({ models, ...options })))
  const all = routes.pipe(Layer.provide(machine), Layer.orDie, Layer.provideMerge(Logger.layer([])))
  const { handler, dispose } = HttpRouter.toWebHandler(all, { disableLogger: true })
  try {
    await use(handler)
  } finally {
    await dispose()
  }
}

/** A request with a body of JSON. */
export const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Request =>
  new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  })

/** What a stream of events sends, as far as tests look at it. */
export interface Event {
  readonly choices: ReadonlyArray<{
    readonly text: string
    readonly delta: {
      readonly role?: string
      readonly content?: string
      readonly tool_calls?: ReadonlyArray<{
        readonly index: number
        readonly id: string
        readonly type: string
        readonly function: { readonly name: string; readonly arguments: string }
      }>
    }
    readonly finish_reason: string | null
  }>
  readonly usage: unknown
  readonly error: { readonly type: string; readonly code: string }
}

/** The objects of a stream of events, and whether it ended with `[DONE]`. */
export async function eventsOf(
  response: Response,
): Promise<{ readonly events: ReadonlyArray<Event>; readonly done: boolean }> {
  const data = (await response.text()).split("\n\n").filter((part) => part !== "").map((part) =>
    part.slice("data: ".length)
  )
  const done = data.at(-1) === "[DONE]"
  return { events: (done ? data.slice(0, -1) : data).map((one) => JSON.parse(one)), done }
}

/** Fails where a text lacks what the pattern says. */
export function assertMatches(text: string, pattern: RegExp, shown: string = text): void {
  assert(pattern.test(text), `${shown} does not match ${pattern}`)
}
