import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { scripted } from "./scripted.ts"
import { assertMatches, post, serving } from "./support.ts"

const chat = { model: "script", messages: [{ role: "user", content: "Hello" }], max_tokens: 2 }
const text = { model: "script", prompt: "Hello", max_tokens: 2 }

/** Bodies that must be refused: where, with what, the status, the field that is named, and words of the message. */
const REFUSED: ReadonlyArray<
  readonly [path: string, body: unknown, status: number, param: string | null, message: RegExp]
> = [
  ["completions", '{"model": ', 400, null, /must be JSON/],
  ["completions", "[]", 400, null, /object of JSON/],
  ["completions", "\xff\xfe", 400, null, /must be JSON/],
  ["completions", `{"temperature": ${"[".repeat(50_000)}${"]".repeat(50_000)}}`, 400, null, /at most 200 lists/],
  ["completions", { ...text, prompt: `\\"${"[{".repeat(200)}`, n: 0 }, 400, "n", /from 1/],
  ["completions", { ...text, model: undefined }, 400, "model", /model is missing/],
  ["completions", { ...text, model: "other" }, 404, "model", /"other" is not there: there is "script"/],
  ["completions", { ...text, model: 3 }, 400, "model", /got 3/],
  ["completions", { ...text, prompt: "" }, 400, "prompt", /none of them empty/],
  ["completions", { ...text, prompt: [1, -2] }, 400, "prompt", /token ids/],
  ["completions", { ...text, prompt: [2 ** 32 + 5] }, 400, "prompt", /below 1114112, got 4294967301/],
  ["completions", { ...text, prompt: [1114112], max_tokens: 0 }, 400, "prompt", /below 1114112/],
  ["completions", { ...text, max_tokens: "2" }, 400, "max_tokens", /got "2"/],
  ["completions", { ...text, max_tokens: 996 }, 400, "prompt", /5 tokens, which with 996 new ones .* 1000 positions/],
  ["completions", { ...text, prompt: "x".repeat(1000) }, 400, "prompt", /1000 tokens/],
  ["completions", { ...text, temperature: -1 }, 400, "temperature", /from 0/],
  ["completions", '{ "model": "script", "prompt": "a", "temperature": 1e999 }', 400, "temperature", /got Infinity/],
  ["completions", { ...text, top_p: 0 }, 400, "top_p", /above 0/],
  ["completions", { ...text, stop: [""] }, 400, "stop", /none of them empty/],
  ["completions", { ...text, stop: 3 }, 400, "stop", /a text or a list/],
  ["completions", { ...text, stop: Array(65).fill("a") }, 400, "stop", /up to 64 texts/],
  ["completions", { ...text, stop_token_ids: [-1] }, 400, "stop_token_ids", /up to 1024 token ids/],
  ["completions", { ...text, stop_token_ids: Array(1025).fill(1) }, 400, "stop_token_ids", /up to 1024 token ids/],
  ["completions", { ...text, n: 0 }, 400, "n", /from 1/],
  ["completions", { ...text, n: 100 }, 400, null, /at most 3 answers/],
  ["completions", { ...text, seed: 1.5 }, 400, "seed", /whole number/],
  ["completions", { ...text, logprobs: 50 }, 400, "logprobs", /at most 20/],
  ["completions", { ...text, logit_bias: { 5: 1 } }, 400, "logit_bias", /not supported: leave it out, or give \{\}/],
  ["completions", { ...text, presence_penalty: 1 }, 400, "presence_penalty", /or give 0/],
  ["completions", { ...text, best_of: 4 }, 400, "best_of", /or give 1/],
  ["completions", { ...text, temprature: 0 }, 400, "temprature", /nearest known one is "temperature"/],
  ["completions", { ...text, model: "x".repeat(1e5) }, 404, "model", /^the model "x{199}\.\.\. is not there: there is/],
  ["completions", { ...text, seed: "x".repeat(1e5) }, 400, "seed", /got "x{199}\.\.\.$/],
  ["completions", { ...text, ["x".repeat(1e6)]: 1 }, 400, `${"x".repeat(200)}...`, /^unknown option "x{200}\.\.\."/],
  ["chat/completions", { ...chat, messages: [] }, 400, "messages", /a list of messages/],
  ["chat/completions", { ...chat, messages: [{ role: "king", content: "" }] }, 400, "messages[0].role", /"user"/],
  ["chat/completions", { ...chat, messages: [{ role: "user", content: 3 }] }, 400, "messages[0].content", /a text/],
  ["chat/completions", { ...chat, messages: ["Hello"] }, 400, "messages[0]", /\{ role, content \}/],
  [
    "chat/completions",
    { ...chat, messages: [...chat.messages, { role: "user", content: "a", contnet: "b" }] },
    400,
    "messages[1].contnet",
    /nearest known one is/,
  ],
  [
    "chat/completions",
    { ...chat, messages: [{ role: "assistant", content: "a", audio: { id: "b" } }] },
    400,
    "messages[0].audio",
    /unknown/,
  ],
  [
    "chat/completions",
    { ...chat, messages: [{ role: "user", content: "a", name: 3 }] },
    400,
    "messages[0].name",
    /text/,
  ],
  [
    "chat/completions",
    { ...chat, messages: [{ role: "user", content: [{ type: "text", text: "a", txet: "b" }] }] },
    400,
    "messages[0].content[0].txet",
    /nearest known one is "text"/,
  ],
  ["chat/completions", { ...chat, messages: [{ role: "user", content: null }] }, 400, "messages[0].content", /a text/],
  [
    "chat/completions",
    { ...chat, messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "" } }] }] },
    400,
    "messages[0].content[0]",
    /type: "text"/,
  ],
  ["chat/completions", { ...chat, top_logprobs: 2 }, 400, "top_logprobs", /needs logprobs/],
  ["chat/completions", { ...chat, response_format: { type: "xml" } }, 400, "response_format.type", /json_schema/],
  [
    "chat/completions",
    { ...chat, response_format: { type: "json_schema", json_schema: { name: "a" } } },
    400,
    "response_format.json_schema.schema",
    /a JSON Schema/,
  ],
  ["chat/completions", { ...chat, stream_options: { usage: true } }, 400, "stream_options.usage", /include_usage/],
  ["embeddings", { model: "script", input: "a" }, 400, "model", /cannot do this: there is none/],
  ["embeddings", { model: "script", input: Array(2049).fill("a") }, 400, "input", /up to 2048 texts/],
  ["embeddings", { model: "script", input: [] }, 400, "input", /list of up to 2048 texts/],
  ["classify", { model: "nothing", input: "a" }, 404, "model", /is not there/],
]

Deno.test("what cannot be answered is refused with an error that names the field", async () => {
  await serving(Effect.succeed([scripted().served]), {}, async (fetch) => {
    for (const [path, body, status, param, message] of REFUSED) {
      const answer = await fetch(post(`/v1/${path}`, body))
      const { error } = await answer.json()
      const shown = `${path} ${JSON.stringify(body)}: ${JSON.stringify(error)}`
      assertEquals([answer.status, error.param], [status, param], shown)
      assertMatches(error.message, message, shown)
      assertEquals(error.type, "invalid_request_error", shown)
    }
  })
})

Deno.test("fields that change nothing are taken, whatever they say", async () => {
  await serving(Effect.succeed([scripted().served]), {}, async (fetch) => {
    const more = { user: "me", metadata: { a: "b" }, store: false, logit_bias: null, presence_penalty: 0, tools: null }
    const answer = await fetch(post("/v1/chat/completions", { ...chat, ...more }))
    assertEquals((await answer.json()).choices[0].message.content, "ab")
  })
})

Deno.test("messages have what clients send back of an answer", async () => {
  await serving(Effect.succeed([scripted().served]), {}, async (fetch) => {
    const nothing = { refusal: null, audio: null, function_call: null, tool_calls: null, annotations: [] }
    const call = { id: "1", type: "function", function: { name: "f", arguments: "{}" } }
    const messages = [
      { role: "user", content: "Hello", name: "me" },
      { role: "assistant", content: "Hi", reasoning_content: "Hm", ...nothing },
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", content: [{ type: "text", text: "a", cache_control: null }], tool_call_id: "1" },
    ]
    const answer = await fetch(post("/v1/chat/completions", { ...chat, messages }))
    assertEquals(answer.status, 200, await answer.text())
  })
})

Deno.test("HEAD asks for what GET does, and a path that is none is refused in the same form", async () => {
  await serving(Effect.succeed([scripted().served]), {}, async (fetch) => {
    for (const [path, status] of [["health", 200], ["metrics", 200], ["v1/models", 200], ["v2", 404]] as const) {
      const answer = await fetch(new Request(`http://localhost/${path}`, { method: "HEAD" }))
      assertEquals([answer.status, await answer.text()], [status, ""], path)
    }
    for (const path of ["v1/models/%ff", "%ff", `v1/models/${"x".repeat(1000)}`]) {
      const answer = await fetch(new Request(`http://localhost/${path}`))
      assertEquals([answer.status, (await answer.json()).error.code], [404, "unknown_route"], path)
    }
  })
})

Deno.test("other types, other routes and other methods are refused in the same form", async () => {
  await serving(Effect.succeed([scripted().served]), {}, async (fetch) => {
    const plain = await fetch(post("/v1/completions", text, { "content-type": "text/plain" }))
    assertEquals([plain.status, (await plain.json()).error.type], [415, "invalid_request_error"])
    for (const request of [post("/v2/completions", text), new Request("http://localhost/v1/completions")]) {
      const answer = await fetch(request)
      assertEquals([answer.status, (await answer.json()).error.code], [404, "unknown_route"])
    }
  })
})
