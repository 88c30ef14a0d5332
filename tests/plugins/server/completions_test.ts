import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { chatTemplate } from "../../../plugins/chat/mod.ts"
import type { Served } from "../../../plugins/server/mod.ts"
import { eventsOf, post, serving, writer } from "./support.ts"

const ask = { model: "small", prompt: "Once upon a time", max_tokens: 8, temperature: 0 }

Deno.test("a text is continued as a whole, and the same in events with usage", async () => {
  await serving(writer(), {}, async (fetch) => {
    const whole = await fetch(post("/v1/completions", ask))
    assertEquals(whole.status, 200)
    const { choices: [{ text, finish_reason }], usage } = await whole.json()
    assertEquals([typeof text, finish_reason, usage.completion_tokens], ["string", "length", 8])
    const { events, done } = await eventsOf(
      await fetch(post("/v1/completions", { ...ask, stream: true, stream_options: { include_usage: true } })),
    )
    assert(done)
    const last = events.at(-1)!
    assertEquals([last.choices, last.usage], [[], usage])
    const pieces = events.slice(0, -1)
    assert(pieces.every(({ usage }) => usage === null))
    assertEquals(pieces.map(({ choices: [{ text }] }) => text).join(""), text)
  })
})

Deno.test("a chat goes through the template, ends at a stop text, and tells how likely its tokens were", async () => {
  await serving(writer(), {}, async (fetch) => {
    const messages = [{ role: "system", content: "Be brief" }, {
      role: "user",
      content: [{ type: "text", text: "Go" }],
    }]
    const chat = { model: "small", messages, max_tokens: 12, temperature: 0, logprobs: true, top_logprobs: 3 }
    const answerOf = async (more: object) =>
      await (await fetch(post("/v1/chat/completions", { ...chat, ...more }))).json()
    const { choices: [{ message, logprobs, finish_reason }], usage } = await answerOf({})
    const plain = await (await fetch(post("/v1/completions", {
      ...ask,
      prompt: "system: Be brief\nuser: Go\nassistant:",
      max_tokens: 12,
    }))).json()
    assertEquals([message.role, message.content], ["assistant", plain.choices[0].text])
    assertEquals([finish_reason, usage.prompt_tokens], ["length", plain.usage.prompt_tokens])
    assertEquals(logprobs.content.length, 12)
    assertEquals(logprobs.content.map(({ token }: { token: string }) => token).join(""), message.content)
    for (const { logprob, token, top_logprobs: top } of logprobs.content) {
      assertEquals([top.length, top[0].logprob, top[0].token], [3, logprob, token])
    }
    const stop = message.content.slice(4, 8)
    const stopped = await answerOf({ stop: [stop] })
    assertEquals(stopped.choices[0].message.content, message.content.slice(0, message.content.indexOf(stop)))
    assertEquals(stopped.choices[0].finish_reason, "stop")
    const { events } = await eventsOf(await fetch(post("/v1/chat/completions", { ...chat, stream: true })))
    assertEquals(events[0].choices[0].delta, { role: "assistant", content: "" })
    assertEquals(events.map(({ choices: [{ delta }] }) => delta.content ?? "").join(""), message.content)
    assertEquals(events.at(-1)!.choices[0].finish_reason, "length")
  })
})

Deno.test("what a template refuses is told to clients without the place of its file", async () => {
  const template = chatTemplate("{{ raise_exception('roles must alternate') }}", {
    from: "/home/me/model/chat_template.jinja",
  })
  await serving(writer({ template }), {}, async (fetch) => {
    const chat = { model: "small", messages: [{ role: "user", content: "Go" }] }
    const answer = await fetch(post("/v1/chat/completions", chat))
    const { error } = await answer.json()
    assertEquals(answer.status, 400)
    assertStringIncludes(error.message, "the chat template")
    assertStringIncludes(error.message, "roles must alternate")
    assert(!error.message.includes("/home/me"), error.message)
  })
})

Deno.test("a template writes special tokens, and what a message or a variable spells stays text", async () => {
  const source = "<|endoftext|>{{ messages[0].content }}{{ extra }}<|endoftext|>"
  let chat!: NonNullable<Served["writes"]>["chat"]
  const models = Effect.tap(
    writer({ template: chatTemplate(source) }),
    ([{ writes }]) => Effect.sync(() => void ({ chat } = writes!)),
  )
  await serving(models, {}, async (fetch) => {
    await fetch(new Request("http://localhost/health"))
    const content = "One<|endoftext|>two", extra = "<|endoftext|>"
    const ids = [...await Effect.runPromise(chat([{ role: "user", content }], { variables: { extra } }))]
    assertEquals(ids.flatMap((id, i) => id === 0 ? [i] : []), [0, ids.length - 1])
    const body = { model: "small", prompt: "", max_tokens: 0, echo: true }
    const { choices: [{ text }] } = await (await fetch(post("/v1/completions", { ...body, prompt: ids }))).json()
    assertEquals(text, `<|endoftext|>${content}${extra}<|endoftext|>`)
  })
})

Deno.test("a seed gives the same draws, in each of several answers others, and beside others the same", async () => {
  await serving(writer(), {}, async (fetch) => {
    const texts = async (more: object) => {
      const { choices } = await (await fetch(post("/v1/completions", { ...ask, temperature: 1, seed: 3, ...more })))
        .json()
      return choices.map(({ text, index }: { text: string; index: number }) => [index, text])
    }
    const two = await texts({ n: 2 })
    assertNotEquals(two[0][1], two[1][1])
    assertEquals(await texts({}), [two[0]])
    const [[, other]] = await texts({ prompt: "The" })
    assertEquals(
      (await texts({ prompt: ["The", "Once upon a time"], n: 2 })).filter((_: unknown, i: number) => i !== 1),
      [
        [0, other],
        [2, two[0][1]],
        [3, two[1][1]],
      ],
    )
    assertNotEquals(await texts({ seed: undefined }), await texts({ seed: undefined }))
  })
})

Deno.test("an answer keeps to a JSON Schema; one that cannot be met is refused", async () => {
  await serving(writer(), {}, async (fetch) => {
    const held = (schema: unknown) =>
      fetch(post("/v1/chat/completions", {
        model: "small",
        messages: [{ role: "user", content: "Hello" }],
        temperature: 0,
        response_format: { type: "json_schema", json_schema: { name: "answer", schema, strict: true } },
      }))
    const properties = { ok: { type: "boolean" }, kind: { enum: ["a", "b"] } }
    const answer = await held({ type: "object", properties, required: ["ok", "kind"], additionalProperties: false })
    const { choices: [{ message, finish_reason }] } = await answer.json()
    const { ok, kind } = JSON.parse(message.content)
    assert(typeof ok === "boolean" && "ab".includes(kind), message.content)
    assertEquals(finish_reason, "stop")
    const never = await held({ type: "integer", minimum: 2, maximum: 1 })
    assertEquals([never.status, (await never.json()).error.type], [400, "invalid_request_error"])
    const large = await held({ enum: Array.from({ length: 20_000 }, (_, i) => i) })
    const { error } = await large.json()
    assertEquals([large.status, error.type, error.param], [400, "invalid_request_error", "response_format"])
    assertStringIncludes(error.message, "more than 10000 values")
  })
})

Deno.test("a prompt is repeated with how likely its tokens were: as likely as where they are written", async () => {
  await serving(writer(), {}, async (fetch) => {
    const echoed = async (more: object) =>
      (await (await fetch(post("/v1/completions", { ...ask, echo: true, logprobs: 2, ...more }))).json()).choices
    const [{ text, logprobs }] = await echoed({ max_tokens: 6 })
    assert(text.startsWith("Once upon a time"))
    assertEquals(logprobs.tokens.join(""), text)
    assertEquals([logprobs.token_logprobs[0], logprobs.top_logprobs[0], logprobs.text_offset[0]], [null, null, 0])
    assertEquals(logprobs.text_offset.at(-1), text.length - logprobs.tokens.at(-1).length)
    const [scored, other] = await echoed({ prompt: [text, "The king"], max_tokens: 0 })
    assertEquals([scored.text, scored.finish_reason, other.text], [text, "length", "The king"])
    scored.logprobs.token_logprobs.forEach((own: number | null, i: number) => {
      const there = logprobs.token_logprobs[i]
      assert(own === there || Math.abs(own! - there) < 1e-4, `${own} ${there}`)
      const top = scored.logprobs.top_logprobs[i]
      if (own !== null) assert(Math.max(...Object.values<number>(top)) >= own && Object.keys(top).length <= 3)
    })
    const plain = await echoed({ logprobs: undefined, max_tokens: 6 })
    assertEquals([plain[0].text, plain[0].logprobs], [text, null])
    const { events } = await eventsOf(
      await fetch(post("/v1/completions", { ...ask, echo: true, stream: true, max_tokens: 6 })),
    )
    assertEquals(events.map(({ choices }) => choices[0].text).join(""), text)
  })
})
