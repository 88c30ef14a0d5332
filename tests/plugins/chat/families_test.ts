/**
 * The templates of families on 50 conversations, beside transformers: the text, and the tokens that are trained on.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { DataError, Dataset, Task, Tokenizer } from "../../../mod.ts"
import { encode, type Example } from "../../../core/data/encode.ts"
import * as Chat from "../../../plugins/chat/mod.ts"
import { conversations, digest, read, template } from "./support.ts"

const rendered: Readonly<Record<string, ReadonlyArray<readonly [string | null, string | null]>>> = read("rendered")

const textOrNothing = (run: () => string): string | undefined => {
  try {
    return run()
  } catch {
    return undefined
  }
}

for (const [name, rows] of Object.entries(rendered)) {
  Deno.test(`${name}: texts equal those of transformers`, async () => {
    const { render } = template(name)
    for (const [at, expected] of rows.entries()) {
      for (const [prompt, hash] of [[false, expected[0]], [true, expected[1]]] as const) {
        const text = textOrNothing(() => render(conversations[at], prompt).text)
        assertEquals(text === undefined ? null : await digest(text), hash, `conversation ${at}`)
      }
    }
    assert(rows.filter(([text]) => text !== null).length >= 32)
  })
}

/** The included tokenizer, with the special tokens of all families. */
const tokenizer = await (() => {
  const path = new URL("../../../examples/models/espalier-1m/tokenizer.json", import.meta.url)
  const file = JSON.parse(Deno.readTextFileSync(path))
  const known = new Set(file.added_tokens.map(({ content }: { content: string }) => content))
  let id = Object.keys(file.model.vocab).length
  for (const { id: other } of file.added_tokens) id = Math.max(id, other + 1)
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const added = (read("special_tokens") as ReadonlyArray<string>).filter((content) => !known.has(content))
    .map((content) => ({ ...flags, content, id: id++ }))
  return Effect.runPromise(Tokenizer.makeTokenizer({ ...file, added_tokens: [...file.added_tokens, ...added] }))
})()

type Ranges = ReadonlyArray<readonly [number, number]>
const masks: Readonly<Record<string, ReadonlyArray<readonly ["all" | "plain", string, Ranges]>>> = read("masks")

/** The tokens that are trained on, as ranges. */
const rangesOf = ({ tokens, fields: { labels } }: Example): Ranges => {
  const isTrained = (at: number) => at > 0 && at <= tokens.length && labels[at - 1] === tokens[at]
  const ranges: Array<[number, number]> = []
  for (let at = 0; at < tokens.length; at++) {
    if (!isTrained(at)) continue
    if (isTrained(at - 1)) ranges[ranges.length - 1][1]++
    else ranges.push([at, at + 1])
  }
  return ranges
}

const plain = ({ messages }: Chat.Conversation): Chat.Conversation => ({
  messages: messages.filter(({ role, content }) => ["user", "assistant"].includes(role) && content),
})

/** A conversation as an example, by a template. */
const exampleOf = (of: Chat.ChatTemplate, conversation: Chat.Conversation, options?: Chat.ColumnsOptions): Example => {
  const data = Dataset.fromRows([{ ...conversation }], Chat.columns(of, options))
  return encode(data, tokenizer, { maxLength: 4096, task: Task.causalLM() }).examples[0]
}

/** Templates whose own turns the ones for training render otherwise: thoughts are taken out of, or put into, some. */
const OTHERWISE = ["qwen3"]

for (const [name, rows] of Object.entries(masks)) {
  const family = name.slice(0, -"_training".length)
  Deno.test(`${family}: trained tokens equal those of the template for training`, async () => {
    const [marked, own] = [template(name), template(family)]
    for (const [at, [taken, hash, ranges]] of rows.entries()) {
      const conversation = taken === "plain" ? plain(conversations[at]) : conversations[at]
      const example = exampleOf(marked, conversation)
      assertEquals(await digest(example.tokens.join()), hash, `conversation ${at}`)
      assertEquals(rangesOf(example), ranges, `conversation ${at}`)
      const answers = conversation.messages.filter(({ role }) => role === "assistant").length
      if (OTHERWISE.includes(family) && answers > 1) {
        const error = assertThrows(() => exampleOf(own, conversation), DataError)
        assertEquals(error.reason, "Template")
        const last = exampleOf(own, conversation, { turns: "last" })
        const [[from, to]] = rangesOf(last), [wantedFrom, wantedTo] = ranges.at(-1)!
        assertEquals(last.tokens.slice(from, to), example.tokens.slice(wantedFrom, wantedTo))
        continue
      }
      const found = exampleOf(own, conversation)
      assertEquals([found.tokens, rangesOf(found)], [example.tokens, ranges], `conversation ${at}`)
    }
    assertEquals(rows.length, 50)
  })
}

Deno.test("FEATURES.md lists the templates and what is compared", () => {
  const text = Deno.readTextFileSync(new URL("../../../FEATURES.md", import.meta.url))
  const [, section] = /## Chat templates\n([^]*?)\n## /.exec(text)!
  const listed = [...section.matchAll(/^\| [^|]+ \| (\w+) +\| yes +\| (.*?) +\|$/gm)]
    .map(([, name, answers]) => [name, answers !== "no"])
  const wanted = Object.keys(rendered).filter((name) => !name.endsWith("_training"))
    .map((name) => [name, `${name}_training` in masks])
  assertEquals(listed.sort(), wanted.sort())
})
