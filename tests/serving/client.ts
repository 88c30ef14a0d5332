/**
 * The official client for JavaScript against a server: chat, streams, usage, probabilities, embeddings, errors, retries.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert"
import OpenAI from "openai"

/** Where a server is, and what it serves. */
export interface Target {
  readonly url: string
  readonly key: string
  /** Name of a model that writes. */
  readonly writer: string
  /** Name of its adapter. */
  readonly adapter: string
  /** Name of a model that embeds. */
  readonly embedder: string
}

/** Talks to a server as programs do; throws where something is not as expected. */
export async function talk({ url, key, writer, adapter, embedder }: Target): Promise<void> {
  const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 8 })
  const names = (await client.models.list()).data.map(({ id }) => id)
  assert([writer, adapter, embedder].every((name) => names.includes(name)), `${names}`)
  const ask = {
    model: writer,
    messages: [{ role: "user", content: "Once upon a time" }],
    max_tokens: 8,
    temperature: 0,
  } as const
  const whole = await client.chat.completions.create({
    ...ask,
    messages: [...ask.messages],
    logprobs: true,
    top_logprobs: 2,
  })
  const [{ message, logprobs }] = whole.choices
  for (const { logprob, top_logprobs: top } of logprobs!.content!) {
    assertEquals(logprob, Math.max(...top.map((one) => one.logprob)), "greedy takes the likeliest")
  }
  let text = "", usage: unknown
  const events = await client.chat.completions.create({
    ...ask,
    messages: [...ask.messages],
    stream: true,
    stream_options: { include_usage: true },
  })
  for await (const { choices, usage: own } of events) {
    text += choices[0]?.delta.content ?? ""
    usage = own ?? usage
  }
  assertEquals([text, usage], [message.content, whole.usage])
  const changed = await client.chat.completions.create({ ...ask, messages: [...ask.messages], model: adapter })
  assert(changed.choices[0].message.content !== message.content, "the adapter changes the answer")
  const { data, usage: read } = await client.embeddings.create({ model: embedder, input: ["a cat", "a dog"] })
  const floats = await client.embeddings.create({ model: embedder, input: "a cat", encoding_format: "float" })
  floats.data[0].embedding.forEach((number, i) => assert(Math.abs(number - data[0].embedding[i]) < 1e-6))
  assert(read.prompt_tokens > 0)
  await tools(client, writer)
  await errors(client, url, { ...ask, messages: [...ask.messages] })
  await retries(client, writer)
}

/** A model calls a tool, whole and in events, and answers with what the tool gave. */
async function tools(client: OpenAI, model: string): Promise<void> {
  const parameters = { type: "object", properties: { city: { enum: ["Paris", "Rome"] } }, required: ["city"] }
  const weather = { type: "function", function: { name: "weather", parameters, strict: true } } as const
  const ask = {
    ...{ model, tools: [weather], temperature: 0, max_tokens: 60 },
    tool_choice: "required",
    parallel_tool_calls: false,
  } as const
  const question = { role: "user", content: "Is it warm in Rome?" } as const
  const { choices: [{ message, finish_reason }] } = await client.chat.completions.create({
    ...ask,
    messages: [question],
  })
  assertEquals([message.content, finish_reason, message.tool_calls?.length], [null, "tool_calls", 1])
  const [call] = message.tool_calls!
  assert(call.type === "function")
  assertEquals(call.function.name, "weather")
  const { city } = JSON.parse(call.function.arguments)
  assert(["Paris", "Rome"].includes(city), city)
  const streamed = await client.chat.completions.stream({ ...ask, messages: [question] }).finalChatCompletion()
  assertEquals(streamed.choices[0].finish_reason, "tool_calls")
  const [again] = streamed.choices[0].message.tool_calls!
  assertEquals(again.type === "function" && again.function.arguments, call.function.arguments)
  const result = { role: "tool", tool_call_id: call.id, content: "26 degrees" } as const
  const messages = [question, message, result]
  const { choices: [answer] } = await client.chat.completions.create({ ...ask, messages, tool_choice: "auto" })
  assert(answer.message.content !== null, "the model says something of what the tool gave")
}

/** Errors have the classes that programs catch. */
async function errors(client: OpenAI, url: string, ask: OpenAI.ChatCompletionCreateParamsNonStreaming): Promise<void> {
  await assertRejects(() => client.chat.completions.create({ ...ask, model: "other" }), OpenAI.NotFoundError)
  await assertRejects(() => client.chat.completions.create({ ...ask, presence_penalty: 1 }), OpenAI.BadRequestError)
  const stranger = new OpenAI({ baseURL: url, apiKey: "wrong", maxRetries: 0 })
  await assertRejects(() => stranger.models.list(), OpenAI.AuthenticationError)
}

/** More requests than there are places: the client comes again when it is told to, and all are answered. */
async function retries(client: OpenAI, model: string): Promise<void> {
  let refused = 0
  const counting = client.withOptions({
    fetch: async (...all: Parameters<typeof fetch>) => {
      const answer = await fetch(...all)
      if (answer.status === 429) refused++
      return answer
    },
  })
  const all = Array.from(
    { length: 16 },
    (_, seed) => counting.completions.create({ model, prompt: "Once", max_tokens: 40, temperature: 1, seed }),
  )
  assertEquals((await Promise.all(all)).length, 16)
  assert(refused > 0, "no request was refused: the queue is too long for this test")
}
