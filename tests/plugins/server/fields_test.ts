import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { scripted } from "./scripted.ts"
import { post, serving } from "./support.ts"

/** A value of each field that is not the one that changes nothing. */
const VALUES: Readonly<Record<string, unknown>> = {
  n: 2,
  seed: 7,
  temperature: 0.5,
  top_p: 0.5,
  top_k: 3,
  min_p: 0.1,
  repetition_penalty: 1.1,
  stop: ["."],
  stop_token_ids: [3],
  stream: true,
  stream_options: { include_usage: true },
  response_format: { type: "json_object" },
  max_tokens: 3,
  max_completion_tokens: 3,
  top_logprobs: 2,
  chat_template_kwargs: { enable_thinking: false },
  echo: true,
  presence_penalty: 0.5,
  frequency_penalty: 0.5,
  logit_bias: { 5: 1 },
  best_of: 2,
  suffix: "end",
  tools: [{ type: "function", function: { name: "f" } }],
  tool_choice: "required",
  parallel_tool_calls: false,
  functions: [{ name: "f" }],
  modalities: ["audio"],
  user: "me",
  metadata: { a: "b" },
  store: true,
  service_tier: "flex",
}

/** Rows of the table of FEATURES.md: fields, and what becomes of them in chats and texts. */
function table(): ReadonlyArray<readonly [field: string, chats: string, texts: string]> {
  const text = Deno.readTextFileSync(new URL("../../../FEATURES.md", import.meta.url))
  const [, part] = text.split("## What a server takes\n")
  return part.split("\n## ")[0].split("\n").filter((line) => line.startsWith("| `")).flatMap((line) => {
    const [, fields, chats, texts] = line.split("|").map((cell) => cell.trim())
    return [...fields.matchAll(/`(\w+)`/g)].map(([, field]) => [field, chats, texts] as const)
  }).filter(([field]) => !field.startsWith("v1"))
}

Deno.test("fields are taken, refused and ignored as FEATURES.md says", async () => {
  const rows = table()
  assert(rows.length > 20, `${rows}`)
  await serving(Effect.succeed([scripted().served]), {}, async (fetch) => {
    const chat = { model: "script", messages: [{ role: "user", content: "Hello" }] }
    const text = { model: "script", prompt: "Hello" }
    for (const [field, ...all] of rows) {
      for (const [i, said] of all.entries()) {
        const isChat = i === 0
        const logprobs = isChat ? { logprobs: true } : { logprobs: 2 }
        const value = field === "logprobs" ? logprobs : { [field]: VALUES[field] }
        const more = field === "top_logprobs"
          ? logprobs
          : field === "tool_choice" && isChat
          ? { tools: VALUES.tools }
          : {}
        const body = { ...isChat ? { max_tokens: 2, ...chat } : text, ...more, ...value }
        const answer = await fetch(post(isChat ? "/v1/chat/completions" : "/v1/completions", body))
        const content = await answer.text()
        const shown = `${field} in ${isChat ? "chats" : "texts"}: ${content}`
        if (said !== "refused") assertEquals(answer.status, 200, shown)
        else assertEquals([answer.status, JSON.parse(content).error.param], [400, field], shown)
      }
    }
  })
})
