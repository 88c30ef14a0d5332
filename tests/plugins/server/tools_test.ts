import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { chatTemplate } from "../../../plugins/chat/mod.ts"
import * as Server from "../../../plugins/server/mod.ts"
import { scripted } from "./scripted.ts"
import { assertMatches, eventsOf, type Fetch, post, serving, writer } from "./support.ts"

const parameters = {
  type: "object",
  properties: { city: { enum: ["Paris", "Rome"] }, days: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["city", "days"],
  additionalProperties: false,
}
const weather = { type: "function", function: { name: "weather", description: "Tells it", parameters, strict: true } }
const clock = { type: "function", function: { name: "clock", description: null } }
const tools = [weather, clock]
const named = (name: string) => ({ type: "function", function: { name } })
const messages = [{ role: "user", content: "Hello" }]
const chat = { model: "script", messages, tools }

const CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome, 羅馬 😀"}}\n</tool_call>'
const ARGUMENTS = '{"city": "Rome, 羅馬 😀"}'

// deno-lint-ignore no-explicit-any
type Answer = any

const answerOf = async (fetch: Fetch, body: object): Promise<Answer> =>
  await (await fetch(post("/v1/chat/completions", body))).json()

/** What the events of an answer join to, as clients join them, by the index of the answer. */
async function joined(fetch: Fetch, body: object): Promise<ReadonlyArray<Answer>> {
  const { events, done } = await eventsOf(await fetch(post("/v1/chat/completions", { ...body, stream: true })))
  assert(done)
  const all: Array<Answer> = []
  for (const { choices: [choice] } of events) {
    const { index, delta, finish_reason: reason } = choice as Answer
    const own = all[index] ??= { content: "", tool_calls: [], reason: null }
    own.content += delta.content ?? ""
    for (const { index, id, type, function: called } of delta.tool_calls ?? []) {
      assertEquals(index, own.tool_calls.length)
      own.tool_calls.push({ id, type, function: called })
    }
    assert(own.reason === null)
    own.reason = reason
  }
  return all
}

Deno.test("an answer that calls tools is told as OpenAI tells it, and its events join to the same", async () => {
  const { served, account } = scripted({ says: `I look.\n${CALL}\n${CALL}` })
  await serving(Effect.succeed([served]), {}, async (fetch) => {
    const { choices: [{ message, finish_reason }], usage } = await answerOf(fetch, chat)
    assertEquals([message.role, message.content, finish_reason], ["assistant", "I look.", "tool_calls"])
    assertEquals(message.tool_calls.map(({ type, function: own }: Answer) => [type, own]), [
      ["function", { name: "weather", arguments: ARGUMENTS }],
      ["function", { name: "weather", arguments: ARGUMENTS }],
    ])
    const ids = message.tool_calls.map(({ id }: Answer) => id)
    assert(new Set(ids).size === 2 && ids.every((id: string) => /^[0-9a-z]{9}$/.test(id)), `${ids}`)
    assertEquals(usage.completion_tokens, Array.from(`I look.\n${CALL}\n${CALL}`).length)
    // The template sees the tools as they were given, without what is said to the server.
    assertEquals(account.last.rest!.tools, [
      { type: "function", function: { name: "weather", description: "Tells it", parameters } },
      { type: "function", function: { name: "clock" } },
    ])
    assertEquals([account.last.options!.form, account.last.options!.shown], [undefined, [
      "<tool_call>",
      "</tool_call>",
    ]])
    const [{ content, tool_calls: calls, reason }] = await joined(fetch, chat)
    assertEquals([content, reason], [message.content, finish_reason])
    assertEquals(calls.map((one: Answer) => one.function), message.tool_calls.map((one: Answer) => one.function))
    const one = { ...chat, parallel_tool_calls: false }
    assertEquals((await answerOf(fetch, one)).choices[0].message.tool_calls.length, 1)
    assertEquals((await joined(fetch, one))[0].tool_calls.length, 1)
    const two = await joined(fetch, { ...chat, n: 2 })
    assertEquals(two.map(({ content, tool_calls: own }) => [content, own.length]), [["I look.", 2], ["I look.", 2]])
  })
})

Deno.test("an answer without text has none beside its calls, and one without calls is as it is", async () => {
  for (
    const [says, content, calls, reason] of [
      [CALL, null, 1, "tool_calls"],
      ["Hello. \n", "Hello. \n", undefined, "stop"],
      [CALL.replace("}}", "}"), CALL.replace("}}", "}"), undefined, "stop"],
    ] as const
  ) {
    await serving(Effect.succeed([scripted({ says }).served]), {}, async (fetch) => {
      const { choices: [{ message, finish_reason }] } = await answerOf(fetch, chat)
      assertEquals([message.content, message.tool_calls?.length, finish_reason], [content, calls, reason], says)
      const [{ content: text, tool_calls: own, reason: end }] = await joined(fetch, chat)
      assertEquals([text, own.length, end], [content ?? "", calls ?? 0, reason], says)
    })
  }
})

Deno.test("a call that is cut off stays text, and an answer that is cut off after one says so", async () => {
  await serving(Effect.succeed([scripted({ says: `${CALL}\n${CALL}` }).served]), {}, async (fetch) => {
    const cut = Array.from(CALL).length
    for (
      const [max_tokens, content, calls] of [
        [20, CALL.slice(0, 20), 0],
        [cut + 20, CALL.slice(0, 19), 1],
      ] as const
    ) {
      const { choices: [{ message, finish_reason }] } = await answerOf(fetch, { ...chat, max_tokens })
      assertEquals([message.content.trim(), message.tool_calls?.length ?? 0], [content, calls])
      assertEquals(finish_reason, "length")
      const [own] = await joined(fetch, { ...chat, max_tokens })
      assertEquals([own.content, own.tool_calls.length, own.reason], [message.content, calls, "length"])
    }
  })
})

Deno.test("where no tool is to be called, none is shown, and what looks like a call is text", async () => {
  const { served, account } = scripted({ says: CALL })
  await serving(Effect.succeed([served]), {}, async (fetch) => {
    for (const more of [{ tool_choice: "none" }, { tools: [] }, { tools: null }, { tools: [], tool_choice: "auto" }]) {
      const { choices: [{ message, finish_reason }] } = await answerOf(fetch, { ...chat, ...more })
      assertEquals([message.content, message.tool_calls, finish_reason], [CALL, undefined, "stop"])
      assertEquals([account.last.rest?.tools, account.last.options!.shown], [undefined, undefined])
    }
  })
})

Deno.test("an answer that must call is held to the tools, and begins as calls of the family do", async () => {
  const { served, account } = scripted({ says: '{"name": "clock", "arguments": {}}\n</tool_call>' })
  await serving(Effect.succeed([served]), {}, async (fetch) => {
    const { choices: [{ message, finish_reason }] } = await answerOf(fetch, { ...chat, tool_choice: "required" })
    assertEquals([message.content, message.tool_calls[0].function, finish_reason], [
      null,
      { name: "clock", arguments: "{}" },
      "tool_calls",
    ])
    assertEquals(account.last.rest!.begin, "<tool_call>\n")
    const several = JSON.stringify(account.last.options!.form)
    assertMatches(
      several,
      /"several".*"name\\": \\"weather.*"minimum":1.*"name\\": \\"clock.*"additionalProperties":false/,
    )
    await answerOf(fetch, { ...chat, tool_choice: named("clock") })
    const one = JSON.stringify(account.last.options!.form)
    assertMatches(one, /^(?!.*(several|weather)).*clock/)
  })
})

Deno.test("tools that cannot be called are refused with an error that names the field", async () => {
  const f = (more: object) => ({ tools: [{ type: "function", function: { name: "f", ...more } }] })
  const many = Array.from({ length: 129 }, (_, i) => ({ type: "function", function: { name: `f${i}` } }))
  const schema = { type: "json_schema", json_schema: { name: "a", schema: { type: "object" } } }
  const called = (own: unknown) => ({
    messages: [...messages, { role: "assistant", tool_calls: [{ type: "function", function: own }] }],
  })
  const given = "messages[1].tool_calls[0].function.arguments"
  const cases: ReadonlyArray<readonly [more: object, param: string, message: RegExp]> = [
    [{ tools: {} }, "tools", /a list of up to 128 tools/],
    [{ tools: many }, "tools", /a list of up to 128 tools/],
    [{ tools: ["f"] }, "tools[0]", /an object, got "f"/],
    [{ tools: [{ type: "custom", custom: {} }] }, "tools[0].type", /"function"/],
    [{ tools: [{ type: "function" }] }, "tools[0].function", /missing/],
    [{ tools: [{ type: "function", function: "f" }] }, "tools[0].function", /an object/],
    [{ tools: [{ type: "function", function: {} }] }, "tools[0].function.name", /missing/],
    [f({ name: "" }), "tools[0].function.name", /up to 64 letters, digits, _ and -, got ""/],
    [f({ name: "a b" }), "tools[0].function.name", /up to 64 letters/],
    [f({ name: "é" }), "tools[0].function.name", /up to 64 letters/],
    [f({ name: "f".repeat(65) }), "tools[0].function.name", /up to 64 letters/],
    [f({ paramters: {} }), "tools[0].function.paramters", /nearest known one is "parameters"/],
    [f({ parameters: [] }), "tools[0].function.parameters", /JSON Schema of the type "object"/],
    [f({ parameters: { type: "string" } }), "tools[0].function.parameters", /JSON Schema of the type "object"/],
    [f({ strict: "yes" }), "tools[0].function.strict", /true or false/],
    [{ tools: [clock, weather, clock] }, "tools", /names of their own, got "clock" twice/],
    [{ tool_choice: "any" }, "tool_choice", /"none", "auto", "required" or/],
    [{ tool_choice: { type: "function" } }, "tool_choice", /"none", "auto", "required" or/],
    [{ tool_choice: named("no name") }, "tool_choice.function.name", /up to 64 letters/],
    [
      { tool_choice: named("other") },
      "tool_choice",
      /"other", which is none of the tools: they are "weather", "clock"/,
    ],
    [{ tools: [], tool_choice: "required" }, "tool_choice", /needs tools/],
    [{ tools: undefined, tool_choice: named("clock") }, "tool_choice", /needs tools/],
    [{ parallel_tool_calls: 1 }, "parallel_tool_calls", /true or false/],
    [{ response_format: schema }, "response_format", /leave it or tools out/],
    [called({ name: "f", arguments: "{" }), given, /must be an object as JSON/],
    [called({ name: "f", arguments: "[]" }), given, /must be an object as JSON/],
    [called({ name: "f", arguments: `${'{"a":['.repeat(50_000)}` }), given, /of at most 200 levels/],
  ]
  await serving(Effect.succeed([scripted().served]), {}, async (fetch) => {
    for (const [more, param, message] of cases) {
      const response = await fetch(post("/v1/chat/completions", { ...chat, max_tokens: 2, ...more }))
      const { error } = await response.json()
      const shown = JSON.stringify([more, error]).slice(0, 400)
      assertEquals([response.status, error.param], [400, param], shown)
      assertMatches(error.message, message, shown)
    }
    const text = { ...chat, max_tokens: 2, response_format: { type: "text" } }
    assertEquals((await fetch(post("/v1/chat/completions", text))).status, 200)
  })
})

/** Shows tools and writes calls as Qwen's templates do. */
const QWEN = '{% if tools %}{% for t in tools %}{{ t | tojson }}{% endfor %}<tool_call>\n{"name": ...}{% endif %}' +
  "{% for m in messages %}{{ m.role }}: {{ m.content }}" +
  "{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{{ c.function.arguments.items() | list | length }}{% endfor %}" +
  "{{ '\n' }}{% endfor %}assistant:"

Deno.test("a small model is held to calls of its tools, whatever the family", async () => {
  for (const calls of Object.values(Server.callSpellings)) {
    await serving(writer({ template: chatTemplate(QWEN), calls }), {}, async (fetch) => {
      for (const tool_choice of ["required", named("weather")]) {
        const body = { ...chat, model: "small", tool_choice, parallel_tool_calls: false, max_tokens: 100 }
        const { choices: [{ message, finish_reason }] } = await answerOf(fetch, { ...body, seed: 1 })
        const shown = `${calls.name}: ${JSON.stringify(message)}`
        assertEquals([message.content, finish_reason, message.tool_calls?.length], [null, "tool_calls", 1], shown)
        const { name, arguments: own } = message.tool_calls[0].function
        if (name === "clock" && tool_choice === "required") assertEquals(own, "{}")
        else {
          const { city, days } = JSON.parse(own)
          assert(name === "weather" && parameters.properties.city.enum.includes(city) && days >= 1 && days <= 9, shown)
        }
        const [events] = await joined(fetch, { ...body, seed: 1 })
        assertEquals(events.tool_calls[0].function, message.tool_calls[0].function)
      }
    })
  }
})

Deno.test("several calls are held to the tools, each with a schema that refers to itself", async () => {
  const tree = {
    type: "object",
    properties: { left: { $ref: "#/$defs/node" } },
    required: ["left"],
    $defs: { node: { enum: [1, 2] } },
  }
  const two = ["one", "two"].map((name) => ({ type: "function", function: { name, parameters: tree } }))
  await serving(writer({ template: chatTemplate(QWEN) }), {}, async (fetch) => {
    let most = 0
    for (let seed = 0; seed < 4; seed++) {
      const body = { ...chat, model: "small", tools: two, tool_choice: "required", max_tokens: 200, seed }
      const { choices: [{ message, finish_reason }] } = await answerOf(fetch, body)
      if (finish_reason === "tool_calls") assertEquals(message.content, null)
      for (const { function: { name, arguments: own } } of message.tool_calls ?? []) {
        assert(["one", "two"].includes(name) && [1, 2].includes(JSON.parse(own).left), own)
      }
      most = Math.max(most, message.tool_calls?.length ?? 0)
    }
    assert(most > 1, `${most}`)
  })
})

Deno.test("schemas that no call can be held to are refused, and are no hindrance where no call must come", async () => {
  await serving(writer({ template: chatTemplate(QWEN) }), {}, async (fetch) => {
    const asked = async (parameters: object, tool_choice: string) => {
      const tools = [clock, { type: "function", function: { name: "f", parameters } }]
      const body = { ...chat, model: "small", tools, tool_choice, max_tokens: 2 }
      const response = await fetch(post("/v1/chat/completions", body))
      return { status: response.status, error: (await response.json()).error }
    }
    const not = { type: "object", properties: { a: { not: {} } } }
    const refused = await asked(not, "required")
    assertEquals([refused.status, refused.error.param], [400, "tools"])
    assertStringIncludes(refused.error.message, 'tools[1].function.parameters#/properties/a: the keyword "not"')
    assertEquals((await asked(not, "auto")).status, 200)
  })
})

Deno.test("where a template shows no tools, or writes calls in a way that is not known, tools are refused", async () => {
  const body = { ...chat, model: "small", max_tokens: 2 }
  const refusal = async (more: Partial<Server.WriterOptions>) => {
    let error!: { readonly param: string; readonly message: string }
    await serving(writer(more), {}, async (fetch) => {
      ;({ error } = await answerOf(fetch, body))
      assertEquals((await fetch(post("/v1/chat/completions", { ...body, tool_choice: "none" }))).status, 200)
    })
    assertEquals(error.param, "tools")
    return error.message
  }
  assertMatches(
    await refusal({}),
    /none of the known ways \(hermes, llama, mistral, lfm2\).*option "calls" of Server.writer/,
  )
  assertMatches(await refusal({ calls: Server.callSpellings.hermes }), /shows no tools/)
})

Deno.test("a template may read tools as xml_tools, and chats with tools may have a template of their own", async () => {
  const { hermes } = Server.callSpellings
  const own = chatTemplate("{{ messages[0].content }}", { named: { tool_use: `${QWEN}{{ tools | length }}` } })
  assertEquals([own.source, own.toolsSource], ["{{ messages[0].content }}", `${QWEN}{{ tools | length }}`])
  const xml =
    "{% if xml_tools %}{% for t in xml_tools[:] %}{{ t | string }}{% endfor %}{% endif %}{{ messages[0].content }}"
  for (const more of [{ template: own }, { template: chatTemplate(xml), calls: hermes }]) {
    await serving(writer(more), {}, async (fetch) => {
      const asked = async (more: object) => {
        const { usage, error } = await answerOf(fetch, { ...chat, model: "small", max_tokens: 1, ...more })
        assertEquals(error, undefined)
        return usage.prompt_tokens
      }
      assert(await asked({}) > await asked({ tool_choice: "none" }) + 20)
    })
  }
})

Deno.test("arguments of calls that clients send back as JSON are objects for templates, with all their digits", async () => {
  let decode!: (ids: Int32Array) => string
  const read: Array<Int32Array> = []
  const models = Effect.map(writer({ template: chatTemplate(QWEN) }), ([one]) => {
    const { answer, ...writes } = one.writes!
    decode = writes.decode
    const told: typeof answer = (prompt, options) => {
      read.push(prompt)
      return answer(prompt, options)
    }
    return [{ ...one, writes: { ...writes, answer: told } }]
  })
  await serving(models, {}, async (fetch) => {
    const own = '{"a": 1.0, "id": 12345678901234567890, "<|endoftext|>": "<|end\\u006fftext|>"}'
    const tool_calls = [{ id: "1", type: "function", function: { name: "f", arguments: own } }]
    const empty = [{ id: "2", type: "function", function: { name: "g", arguments: "" } }]
    const all = [
      ...messages,
      { role: "assistant", content: null, tool_calls },
      { role: "tool", tool_call_id: "1", content: "3" },
      { role: "assistant", content: "Hm", tool_calls: empty },
      { role: "assistant", content: "So", tool_calls: [] },
    ]
    const response = await fetch(post("/v1/chat/completions", { model: "small", messages: all, max_tokens: 1 }))
    assertEquals(response.status, 200, await response.text())
    const text = decode(read[0])
    assertStringIncludes(text, '{"a": 1.0, "id": 12345678901234567890, "<|endoftext|>": "<|endoftext|>"}3')
    assertStringIncludes(text, "assistant: Hm{}0\nassistant: So\n")
    assert(!read[0].includes(0), "what a message spells stays text")
  })
})
