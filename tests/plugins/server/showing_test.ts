import { assert, assertEquals } from "@std/assert"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { textPieces } from "../../../core/inference/text/text_pieces.ts"
import { showing } from "../../../plugins/server/writer/showing.ts"
import { chatTemplate } from "../../../plugins/chat/mod.ts"
import * as Server from "../../../plugins/server/mod.ts"
import { post, serving, SMALL, writer } from "./support.ts"

const json = (name: string) => JSON.parse(Deno.readTextFileSync(`${SMALL}/${name}`))
const tokenizer = tokenizerOf(json("tokenizer.json"), json("tokenizer_config.json"))
const [END, PAD] = ["<|endoftext|>", "<|pad|>"]

Deno.test("special tokens that are shown are text where others are left out", () => {
  const ids = tokenizer.encode(`One${PAD} two, né${END}${PAD}`, { addSpecialTokens: false })
  const skipped = { skipSpecialTokens: true }
  assertEquals(tokenizer.decode(ids, skipped), "One two, né")
  const shown = showing(tokenizer, [PAD, " two", "not a token"])
  assertEquals(shown.decode(ids, skipped), `One${PAD} two, né${PAD}`)
  assertEquals(shown.decode(ids), tokenizer.decode(ids))
  const pieces = textPieces(shown, [])
  const text = [...ids].map((id) => pieces.add(id)).join("") + pieces.end()
  assertEquals(text, `One${PAD} two, né${PAD}`)
  assert(showing(tokenizer, ["not a token", " two"]) === tokenizer)
})

Deno.test("a special token that marks calls is text where calls may come, and left out elsewhere", async () => {
  const template = chatTemplate("{{ tools is none }}: Once upon a time")
  const answerOf = async (more: Partial<Server.WriterOptions>) => {
    let content = ""
    await serving(writer({ template, ...more }), {}, async (fetch) => {
      const tools = [{ type: "function", function: { name: "f" } }]
      const messages = [{ role: "user", content: "" }]
      const body = { model: "small", messages, tools, max_tokens: 6, temperature: 0 }
      ;({ choices: [{ message: { content } }] } = await (await fetch(post("/v1/chat/completions", body))).json())
    })
    return content
  }
  const { mistral } = Server.callSpellings
  const plain = await answerOf({ calls: mistral })
  const [, second] = tokenizer.encode(plain, { addSpecialTokens: false })
  const mark = tokenizer.token(second)!
  /** The tokenizer with a further special token, which the model writes. */
  const marking = {
    ...tokenizer,
    decode: (ids: ArrayLike<number>, options: { readonly skipSpecialTokens?: boolean } = {}) =>
      tokenizer.decode(options.skipSpecialTokens ? Array.from(ids).filter((id) => id !== second) : ids, options),
  }
  const without = await answerOf({ calls: mistral, tokenizer: marking })
  const shown = await answerOf({
    calls: { ...mistral, open: mark, read: () => ({ calls: [], length: 1 }) },
    tokenizer: marking,
  })
  assert(plain.length > without.length, `${plain} ${without}`)
  assertEquals(shown.replace(mark, ""), without)
  assert(shown.includes(mark))
})
