import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { BackendError } from "../../../core/backend/backend_error.ts"
import { scripted } from "./scripted.ts"
import { assertMatches, eventsOf, post, serving, writer } from "./support.ts"

const ask = { model: "script", prompt: "Hello", max_tokens: 3 }
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits until something holds, a second at most. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !holds(); i++) await pause(10)
  assert(holds(), "it did not come about within a second")
}

Deno.test("with keys, a request needs one of them; health and metrics do not", async () => {
  await serving(Effect.succeed([scripted().served]), { keys: ["first", "second"] }, async (fetch) => {
    const status = async (request: Request) => (await fetch(request)).status
    const withKey = (key: string) => post("/v1/completions", ask, { authorization: key })
    assertEquals(await status(withKey("Bearer second")), 200)
    for (const key of ["Bearer third", "Bearer ", "Bearer firs", "first", ""]) {
      const answer = await fetch(withKey(key))
      assertEquals([answer.status, (await answer.json()).error.code], [401, "invalid_api_key"], key)
    }
    assertEquals(await status(new Request("http://localhost/v1/models")), 401)
    assertEquals(await status(new Request("http://localhost/health")), 200)
    assertEquals(await status(new Request("http://localhost/metrics")), 200)
  })
})

Deno.test("bodies that are too large or too slow are refused", async () => {
  const limits = { maxBodyBytes: 200, bodySeconds: 0.05 }
  await serving(Effect.succeed([scripted().served]), limits, async (fetch) => {
    const large = await fetch(post("/v1/completions", { ...ask, prompt: "x".repeat(300) }))
    assertEquals(large.status, 413)
    assertMatches((await large.json()).error.message, /at most 200/)
    /** A body without a length. */
    const streamed = (pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void) =>
      new Request("http://localhost/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: new ReadableStream({ pull }),
      })
    const endless = await fetch(streamed((controller) => controller.enqueue(new Uint8Array(64))))
    assertEquals([endless.status, (await endless.json()).error.type], [413, "invalid_request_error"])
    const slow = await fetch(streamed(() => {}))
    assertEquals(slow.status, 408)
    await slow.body?.cancel()
  })
})

Deno.test("a text that no positions could hold is refused before it is cut into tokens", async () => {
  await serving(writer(), {}, async (fetch) => {
    const long = " ".repeat(2 ** 22)
    const texts = fetch(post("/v1/completions", { model: "small", prompt: [long] }))
    const chat = fetch(
      post("/v1/chat/completions", { model: "small", messages: [{ role: "user", content: `a${long}` }] }),
    )
    assertEquals((await fetch(new Request("http://localhost/health"))).status, 200)
    for (const [answer, param] of [[await texts, "prompt"], [await chat, "messages"]] as const) {
      const { error } = await answer.json()
      assertEquals([answer.status, error.param, error.code], [400, param, "context_length_exceeded"])
      assertMatches(
        error.message,
        /: a text of 41943\d\d bytes is too long: 512 positions of the model hold at most \d+/,
      )
    }
    const fits = await fetch(post("/v1/completions", { model: "small", prompt: "word ".repeat(600) }))
    assertMatches((await fits.json()).error.message, /^the prompt has \d+ tokens, which with/)
  })
})

Deno.test("a full queue refuses at once and says when to come again; places are free afterwards", async () => {
  const { served, account } = scripted({ pause: 20 })
  await serving(Effect.succeed([served]), {}, async (fetch) => {
    const running = [1, 2, 3].map(() => fetch(post("/v1/completions", ask)))
    await until(() => served.places.taken() === 3)
    const full = await fetch(post("/v1/completions", ask))
    const { error } = await full.json()
    assertEquals([full.status, error.type, error.code], [429, "rate_limit_error", "queue_full"])
    assertEquals(full.headers.get("retry-after"), "1")
    for (const answer of await Promise.all(running)) assertEquals((await answer.json()).choices[0].text, "abc")
    assertEquals([served.places.taken(), account.begun], [0, 3])
    assertEquals((await fetch(post("/v1/completions", ask))).status, 200)
  })
})

Deno.test("an answer that takes too long ends with an error, whole or in events", async () => {
  const { served, account } = scripted({ pause: 30 })
  await serving(Effect.succeed([served]), { answerSeconds: 0.05, maxTokens: 100 }, async (fetch) => {
    const whole = await fetch(post("/v1/completions", { ...ask, max_tokens: 50 }))
    assertEquals([whole.status, (await whole.json()).error.type], [504, "timeout_error"])
    const { events, done } = await eventsOf(
      await fetch(post("/v1/completions", { ...ask, stream: true, max_tokens: 50 })),
    )
    assertEquals([events.at(-1)!.error.code, done], ["timeout", false])
    assertEquals([served.places.taken(), account.open], [0, 0])
    const long = await fetch(post("/v1/completions", { ...ask, max_tokens: 101 }))
    assertEquals((await long.json()).error.param, "max_tokens")
  })
})

Deno.test("a failure of the server's own is told without what it was; a full memory asks to come again", async () => {
  const failing = (fails: unknown) => Effect.succeed([scripted({ fails }).served])
  await serving(failing(new Error("secret")), {}, async (fetch) => {
    const answer = await fetch(post("/v1/completions", ask))
    const text = await answer.text()
    assertEquals([answer.status, JSON.parse(text).error.type, text.includes("secret")], [500, "server_error", false])
    const { events } = await eventsOf(await fetch(post("/v1/completions", { ...ask, stream: true })))
    assertEquals(events.map((event) => event.choices?.[0].text ?? event.error.type), ["a", "b", "server_error"])
  })
  await serving(failing(new BackendError({ reason: "OutOfMemory", message: "full" })), {}, async (fetch) => {
    const answer = await fetch(post("/v1/completions", ask))
    assertEquals([answer.status, answer.headers.get("retry-after")], [503, "10"])
  })
})

Deno.test("rows of a client that leaves are free at once, before an answer and in the middle of one", async () => {
  const { served, account } = scripted({ pause: 5 })
  await serving(Effect.succeed([served]), {}, async (fetch) => {
    const long = { ...ask, max_tokens: 900 }
    const gone = new AbortController()
    const whole = fetch(new Request(post("/v1/completions", long), { signal: gone.signal }))
    await until(() => account.open === 1)
    gone.abort()
    await until(() => account.open === 0 && served.places.taken() === 0)
    assertEquals((await whole).status, 499)
    const response = await fetch(post("/v1/completions", { ...long, stream: true, n: 2 }))
    const reader = response.body!.getReader()
    await reader.read()
    assertEquals(account.open, 2)
    await reader.cancel()
    await until(() => account.open === 0 && served.places.taken() === 0)
    const metrics = await (await fetch(new Request("http://localhost/metrics"))).text()
    assertMatches(metrics, /espalier_requests_total\{route="\/v1\/completions",status="499"\} 2/)
    assertMatches(metrics, /espalier_rows\{model="script"\} 0/)
  })
})

Deno.test("an answer goes on while its client does not read", async () => {
  const { served, account } = scripted()
  await serving(Effect.succeed([served]), {}, async (fetch) => {
    const response = await fetch(post("/v1/completions", { ...ask, max_tokens: 500, stream: true }))
    await until(() => account.begun === 1 && account.open === 0 && served.places.taken() === 0)
    const { events, done } = await eventsOf(response)
    assertEquals([events.length, done], [500, true])
  })
})
