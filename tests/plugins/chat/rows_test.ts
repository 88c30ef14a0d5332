/**
 * Rows of chats: the forms that are recognized, and bad ones.
 * @module
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import { DataError, Dataset } from "../../../mod.ts"
import * as Chat from "../../../plugins/chat/mod.ts"
import { template } from "./support.ts"

const chatml = template("chatml")
const user = <C>(content: C) => ({ role: "user", content })
const assistant = <C>(content: C, further = {}) => ({ role: "assistant", content, ...further })
const turn = (role: string, text: string) => `<|im_start|>${role}\n${text}<|im_end|>\n`

type Row = Readonly<Record<string, unknown>>

const readRows = (rows: ReadonlyArray<Row>, options?: Chat.ColumnsOptions, of = chatml) =>
  Dataset.fromRows(rows, Chat.columns(of, options))

/** The answers of a row, as they are trained on. */
const answers = ({ text, trained }: Dataset.MarkedRow) => trained.map(([from, to]) => text.slice(from, to))

Deno.test("chats are recognized by their columns, and a note says what was assumed", () => {
  const text = turn("user", "a") + turn("assistant", "b")
  const share = [{ from: "human", value: "a" }, { from: "gpt", value: "b" }]
  const forms: ReadonlyArray<readonly [row: Row, note: string | undefined, text?: string]> = [
    [{ messages: [user("a"), assistant("b")] }, undefined],
    [{ messages: [user([{ type: "text", text: "a" }]), assistant("b")], other: 1 }, undefined],
    [{ conversations: share }, "ShareGPT"],
    [{ messages: share }, undefined],
    [{ prompt: [user("a")], completion: [assistant("b")] }, "the completion is trained on"],
    [{ instruction: "a", input: "", output: "b" }, "Alpaca"],
    [{ instruction: "a", output: "b" }, "Alpaca"],
    [{ instruction: "a", input: "c", output: "b" }, "Alpaca", turn("user", "a\n\nc") + turn("assistant", "b")],
    [{ system: "s", instruction: "a", output: "b" }, "Alpaca", turn("system", "s") + text],
  ]
  for (const [row, note, wanted = text] of forms) {
    const data = readRows([row])
    assertEquals(data.rows[0].text, wanted)
    assertEquals(answers(data.rows[0]), ["b<|im_end|>\n"])
    assertEquals(data.kind, Dataset.markedRows)
    if (note === undefined) assertEquals(data.notes, undefined)
    else assertStringIncludes(data.notes!.join(), note)
  }
  const named = readRows([{ chat: [user("a"), assistant("b")] }], { messages: "chat" })
  assertEquals(named.rows[0].text, text)
})

Deno.test("all answers are trained on, or the last, and none of a prompt", () => {
  const messages = [user("a"), assistant("b"), user("c"), assistant("d")]
  assertEquals(answers(readRows([{ messages }]).rows[0]), ["b<|im_end|>\n", "d<|im_end|>\n"])
  assertEquals(answers(readRows([{ messages }], { turns: "last" }).rows[0]), ["d<|im_end|>\n"])
  const pair = { prompt: messages.slice(0, 3), completion: messages.slice(3) }
  for (const  of of[chatml, template("chatml_training")]) {
    assertEquals(answers(readRows([pair], {}, of).rows[0]), ["d<|im_end|>\n"])
    assertEquals(answers(readRows([{ messages }], { turns: "last" }, of).rows[0]), ["d<|im_end|>\n"])
  }
})

Deno.test("tools and variables of a row reach the template", () => {
  const of = Chat.chatTemplate(
    "{{ tools | tojson }}{{ mode }}{% for m in messages %}{{ m.content }};{% endfor %}",
    { variables: { mode: "slow" } },
  )
  const messages = [user("a"), assistant("b")]
  const text = (row: Row) => readRows([{ messages, ...row }], {}, of).rows[0].text
  assertEquals(text({}), "nullslowa;b;")
  assertEquals(text({ tools: [{ name: "f" }] }), '[{"name": "f"}]slowa;b;')
  assertEquals(text({ tools: '[{"name": "f"}]' }), '[{"name": "f"}]slowa;b;')
  assertEquals(text({ chat_template_kwargs: { mode: "fast" } }), "nullfasta;b;")
  const named = Chat.chatTemplate("usual", { named: { tool_use: "tools" } })
  assertEquals(named.render({ messages, tools: [{}] }).text, "tools")
  assertEquals(named.render({ messages }).text, "usual")
})

Deno.test("numbers of tools are written as in the file", async () => {
  const path = await Deno.makeTempFile({ suffix: ".jsonl" })
  try {
    const tool = '{"a": 1.0, "b": [1e3, 2, "3.0"], "c": 12345678901234567890, "d": 0.5, "e": -0}'
    const asked = '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [' + tool +
      "]}]"
    await Deno.writeTextFile(path, `{"messages": ${asked}, "tools": [${tool}]}\n`)
    const source =
      "{{ tools[0] | tojson }}{% for m in messages %}{{ m.tool_calls | tojson if m.tool_calls }};{% endfor %}"
    const read = Dataset.jsonLines(path, Chat.columns(Chat.chatTemplate(source)))
    const data = await Effect.runPromise(read.pipe(Effect.provide(NodeServices.layer)))
    const wanted = '{"a": 1.0, "b": [1000.0, 2, "3.0"], "c": 12345678901234567890, "d": 0.5, "e": 0}'
    assertEquals(data.rows[0].text, `${wanted};[${wanted}];`)
  } finally {
    await Deno.remove(path)
  }
})

Deno.test("wrong rows are errors that name all of them, before work", () => {
  const good = [user("a"), assistant("b")]
  const image = [{ type: "text", text: "a" }, { type: "image", url: "x" }]
  const cases: ReadonlyArray<readonly [messages: unknown, reason: string, ...words: ReadonlyArray<string>]> = [
    [[], "EmptyText", "a list of messages is empty"],
    ["hello", "Malformed", "a list of messages is wanted", 'got "hello"'],
    [[user("a")], "AllMasked", 'no message of "assistant"'],
    [
      [user("a"), { role: "narrator", content: "b" }, assistant("c")],
      "Malformed",
      '"narrator" is not known',
      "roles are",
    ],
    [[{ content: "a" }], "Malformed", "has no role"],
    [["a"], "Malformed", "a message is no object"],
    [[assistant("a")], "Malformed", "out of order", "stands at the beginning"],
    [[user("a"), user("b"), assistant("c")], "Malformed", "out of order", 'follows one of "user"'],
    [[...good, { role: "system", content: "s" }], "Malformed", "out of order", 'message 3, of "system"'],
    [[user("a"), { role: "tool", content: "s" }, assistant("c")], "Malformed", "out of order", 'message 2, of "tool"'],
    [[user(" "), assistant("b")], "EmptyText", "a message is empty", 'message 1, of "user"'],
    [[user("a"), assistant("")], "EmptyText", "a message is empty"],
    [[user("a"), assistant(null)], "EmptyText", "a message is empty"],
    [[user(image), assistant("b")], "Malformed", "more than text", 'type "image"'],
    [[user({ text: "a" }), assistant("b")], "Malformed", "a content is no text"],
  ]
  for (const [messages, reason, ...words] of cases) {
    const error = assertThrows(() => readRows([{ messages: good }, { messages }, { messages }]), DataError)
    assertEquals([error.reason, error.rows], [reason, [2, 3]], error.message)
    for (const word of [...words, "rows 2, 3"]) assertStringIncludes(error.message, word)
  }
  const both = assertThrows(() => readRows([{ messages: [] }, { messages: [user("a")] }, { messages: [] }]), DataError)
  assertEquals(both.rows, [1, 2, 3])
  assertStringIncludes(both.message, "in rows 1, 3; take the row out; 1 further rows have other faults")
  const calls = [{ type: "function", function: { name: "f", arguments: {} } }]
  const withTools = [user("a"), assistant(null, { tool_calls: calls }), { role: "tool", content: "" }, assistant("b")]
  assertEquals(readRows([{ messages: withTools }], {}, template("granite4")).rows.length, 1)
  const unknown = assertThrows(() => readRows([{ chat: good }]), DataError)
  assertEquals(unknown.reason, "MissingColumn")
  assertStringIncludes(unknown.message, "messages; conversations")
  assertStringIncludes(
    assertThrows(() => readRows([{ messages: good, tools: "x" }]), DataError).message,
    'the column "tools" holds no list of tools in row 1; give JSON schemas',
  )
})

/** The thought of the last turn alone. */
const THOUGHTS = "{% for m in messages %}{{ '<think>' if loop.last and m.role != 'user' }}{{ m.content }};{% endfor %}"

Deno.test("a template that fails, masks everything or renders beginnings otherwise is an error with the rows", () => {
  const messages = [user("a"), assistant("b"), user("c"), assistant("d")]
  const reason = (source: string) => {
    const error = assertThrows(() => readRows([{ messages }], {}, Chat.chatTemplate(source)), DataError)
    return `${error.reason}: ${error.message}`
  }
  assertEquals(
    reason("{{ raise_exception('only one turn') }}"),
    "Template: rows: the chat template fails: only one turn in row 1; change the rows, or take another template",
  )
  assertStringIncludes(
    reason("{% for m in messages %}{{ m.content }}{% generation %}{% endgeneration %}{% endfor %}"),
    "AllMasked: rows: the chat template leaves nothing to train on in row 1; its {% generation %} blocks hold no text",
  )
  assertStringIncludes(reason("{{ messages[0].content }}"), "AllMasked: ")
  // The thought of the last turn alone, as Qwen3 has it; the system text in the last question, as Mistral has it.
  const last = reason(
    "{% for m in messages %}{{ '<think>' if loop.last and m.role != 'user' }}{{ m.content }};{% endfor %}",
  )
  for (
    const word of [
      "Template: rows: the chat template renders the beginning of a chat otherwise when more follows",
      'up to message 2, "a;<think>b;" becomes "a;b;c;<think>d;"',
      "train the last turn alone (turns: last)",
      "{% generation %}",
    ]
  ) assertStringIncludes(last, word)
  const [row] = readRows([{ messages }], { turns: "last" }, Chat.chatTemplate(THOUGHTS)).rows
  assertEquals([row.text, ...answers(row)], ["a;b;c;<think>d;", "<think>d;"])
  // The system text in the last question, and nowhere when an answer follows.
  const system = { role: "system", content: "s" }
  const { message } = assertThrows(
    () => readRows([{ messages: [system, ...messages] }], {}, template("mistral_nemo")),
    DataError,
  )
  assertStringIncludes(message, '"a[/INST]b<eos>[INST]s\\n\\nc[/INST]" becomes')
  assert(!message.includes("turns: last"), message)
})

Deno.test("a template that writes the date of the day says so", () => {
  const source = "{{ strftime_now('%Y') }}"
  assertStringIncludes(Chat.chatTemplate(source).notes.join(), "date_string")
  assertEquals(Chat.chatTemplate(source, { variables: { date_string: "x" } }).notes, [])
  assertEquals(Chat.chatTemplate(source).render({ messages: [] }).text, String(new Date().getFullYear()))
})
