/**
 * The routes in the server of `node:http`, as programs on Node have it.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import * as Server from "../../../plugins/server/mod.ts"
import { scripted } from "./scripted.ts"
import { eventsOf } from "./support.ts"

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

Deno.test("on node:http answers, events, limits and clients that leave are as elsewhere, beside routes of others", async () => {
  const { served, account } = scripted({ pause: 5 })
  const page = HttpRouter.add("GET", "/monitor", Effect.succeed(HttpServerResponse.html("<h1>Here</h1>")))
  const routes = HttpRouter.serve(Layer.merge(Server.layer({ models: [served], maxBodyBytes: 500 }), page), {
    disableLogger: true,
    disableListenLog: true,
  })
  const server = NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })
  const program = Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
    Effect.promise(async () => {
      const url = `${HttpServer.formatAddress(address)}/v1/completions`
      const ask = (more: object, signal?: AbortSignal) =>
        fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ model: "script", prompt: "Hello", max_tokens: 3, ...more }),
          ...signal === undefined ? {} : { signal },
        })
      assertEquals((await (await ask({})).json()).choices[0].text, "abc")
      assertEquals(await (await fetch(new URL("/monitor", url))).text(), "<h1>Here</h1>")
      assertEquals((await (await fetch(new URL("/other", url))).json()).error.code, "unknown_route")
      const { events, done } = await eventsOf(await ask({ stream: true }))
      assertEquals([events.map(({ choices }) => choices[0].text).join(""), done], ["abc", true])
      const large = await ask({ prompt: "x".repeat(600) })
      assertEquals([large.status, (await large.json()).error.type], [413, "invalid_request_error"])
      for (const stream of [false, true]) {
        const leaving = new AbortController()
        const answer = ask({ max_tokens: 900, stream }, leaving.signal)
        if (stream) await (await answer).body!.getReader().read()
        while (account.open === 0) await pause(5)
        leaving.abort()
        await answer.then(({ body }) => body?.cancel()).catch(() => {})
        for (let i = 0; i < 100 && account.open + served.places.taken() > 0; i++) await pause(10)
        assert(account.open === 0 && served.places.taken() === 0, `stream: ${stream}`)
      }
    })).pipe(Effect.provide(Layer.provideMerge(routes, server)))
  await Effect.runPromise(Effect.scoped(program))
})
