import { assert, assertEquals } from "@std/assert"
import process from "node:process"
import { chatTemplate } from "../../../plugins/chat/mod.ts"
import { callReader, type CallReaderOptions } from "../../../plugins/server/calls/call_reader.ts"
import { pythonCalls } from "../../../plugins/server/calls/python_calls.ts"
import { spellingOf } from "../../../plugins/server/calls/spellings.ts"
import { withObjects } from "../../../plugins/server/calls/with_objects.ts"
import * as Server from "../../../plugins/server/mod.ts"
import { newCallId } from "../../../plugins/server/requests/new_call_id.ts"

const { hermes, llama, mistral, lfm2 } = Server.callSpellings

const OPTIONS: CallReaderOptions = { names: ["f", "g"], most: Infinity, begin: "" }

/** Content and calls of an answer that comes in pieces of a length. */
function readIn(size: number, spelling: Server.CallSpelling, answer: string, more: Partial<CallReaderOptions> = {}) {
  const reader = callReader(spelling, { ...OPTIONS, ...more })
  const letters = Array.from(answer)
  const parts = []
  for (let at = 0; at < letters.length; at += size) parts.push(reader.add(letters.slice(at, at + size).join("")))
  parts.push(reader.end())
  return [
    parts.map(({ text }) => text).join(""),
    ...parts.flatMap(({ calls }) => calls.map(({ name, arguments: own }) => `${name} ${own}`)),
  ]
}

/** A name of a spelling, an answer, its content, and its calls. */
type Case = readonly [spelling: Server.CallSpelling, answer: string, content: string, ...calls: Array<string>]

const call = (json: string) => `<tool_call>\n${json}\n</tool_call>`
const F = `{"name": "f", "arguments": {"a": 1}}`, G = `{"name": "g", "arguments": {}}`
const P = `{"name": "f", "parameters": {"a": 1}}`

const CASES: ReadonlyArray<Case> = [
  [hermes, "Hello. ", "Hello. "],
  [hermes, call(F), "", `f {"a": 1}`],
  [hermes, `I look.\n\n${call(F)}\n${call(G)}\n`, "I look.", `f {"a": 1}`, "g {}"],
  [hermes, `${call(F)}\n\nThere. `, "\n\nThere. ", `f {"a": 1}`],
  [hermes, `<tool_call>${F}</tool_call>`, "", `f {"a": 1}`],
  [hermes, call(`{"arguments": {"a": 1}, "name": "f"}`), "", `f {"a": 1}`],
  // All digits, and all characters, are kept as they are written.
  [hermes, call(`{"name":"f","arguments":{"a":12345678901234567890.10}}`), "", `f {"a":12345678901234567890.10}`],
  [
    hermes,
    call(`{"name": "f", "arguments": {"a": "né \\u00e9 😀, \\"}</tool_call>"}}`),
    "",
    `f {"a": "né \\u00e9 😀, \\"}</tool_call>"}`,
  ],
  // A name that is none of the tools is called as well: who asked tells the model.
  [hermes, call(`{"name": "other", "arguments": {}}`), "", "other {}"],
  // What is no call stays text.
  [hermes, "a < b, <tool, <tool_call", "a < b, <tool, <tool_call"],
  [hermes, "Write <tool_call> first.", "Write <tool_call> first."],
  [hermes, call(`{"name": "f", "arguments": {"a": 1}`), call(`{"name": "f", "arguments": {"a": 1}`)],
  [hermes, call(`{"name": "f", "arguments": "a"}`), call(`{"name": "f", "arguments": "a"}`)],
  [hermes, call(`{"name": 3, "arguments": {}}`), call(`{"name": 3, "arguments": {}}`)],
  [hermes, `${call("{}")}\n${call(F)}`, call("{}"), `f {"a": 1}`],
  [hermes, `${call(F)} ${call("{}")}`, ` ${call("{}")}`, `f {"a": 1}`],
  // Cut off: a call that is whole is one, another stays text.
  [hermes, `<tool_call>\n${F}`, "", `f {"a": 1}`],
  [hermes, `So\n<tool_call>\n{"name": "f", "argu`, `So\n<tool_call>\n{"name": "f", "argu`],
  [hermes, "<tool_call>\n", "<tool_call>\n"],
  [llama, P, "", `f {"a": 1}`],
  [llama, ` <|python_tag|>${P}`, "", `f {"a": 1}`],
  [llama, `I look. <|python_tag|>${P}; ${F}`, "I look.", `f {"a": 1}`, `f {"a": 1}`],
  [llama, `${P};\n${P}\n`, "", `f {"a": 1}`, `f {"a": 1}`],
  // Without the mark it is a call only of a tool, and only where an answer begins.
  [llama, `{"name": "other", "parameters": {}}`, `{"name": "other", "parameters": {}}`],
  [llama, `<|python_tag|>{"name": "other", "parameters": {}}`, "", "other {}"],
  [llama, `It is ${P}`, `It is ${P}`],
  [llama, `{"a": {"name": "f", "parameters": {}}}`, `{"a": {"name": "f", "parameters": {}}}`],
  [llama, `<|python_tag|>f.call(a=1)`, `<|python_tag|>f.call(a=1)`],
  [llama, "{ is a brace", "{ is a brace"],
  [llama, "<|python", "<|python"],
  [llama, "", ""],
  [llama, " \n", " \n"],
  [mistral, `[TOOL_CALLS][${F}]`, "", `f {"a": 1}`],
  [mistral, `[TOOL_CALLS] [${F}, ${G}]`, "", `f {"a": 1}`, "g {}"],
  [mistral, `[TOOL_CALLS][${F}, 3]`, `[TOOL_CALLS][${F}, 3]`],
  [mistral, `[TOOL_CALLS][]`, `[TOOL_CALLS][]`],
  [mistral, `[TOOL_CALLS][${F}`, `[TOOL_CALLS][${F}`],
  [mistral, `[TOOL_CALLS]f{}`, `[TOOL_CALLS]f{}`],
  [mistral, "[1] [TOOL", "[1] [TOOL"],
  [lfm2, `<|tool_call_start|>[f(a=1)]<|tool_call_end|>`, "", `f {"a": 1}`],
  [lfm2, `<|tool_call_start|>[f(a=1), g()]<|tool_call_end|>I look.`, "I look.", `f {"a": 1}`, "g {}"],
  [lfm2, `<|tool_call_start|>[${F}, ${G}]`, "", `f {"a": 1}`, "g {}"],
  [lfm2, `<|tool_call_start|>[f(a=b)]<|tool_call_end|>`, `<|tool_call_start|>[f(a=b)]<|tool_call_end|>`],
  [lfm2, `<|tool_call_start|>f(a=1)`, `<|tool_call_start|>f(a=1)`],
]

Deno.test("calls are found in answers of each family, the same in pieces of any length", () => {
  for (const [spelling, answer, ...found] of CASES) {
    for (const size of [1, 2, 7, 1000]) {
      assertEquals(readIn(size, spelling, answer), found, `${spelling.name} in pieces of ${size}: ${answer}`)
    }
  }
})

Deno.test("random answers of pieces of calls are read the same in pieces of any length, and no text is lost", () => {
  const parts = [
    ...["<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]", "<|tool_call_start|>", "<|tool_call_end|>"],
    ...[F, G, P, call(F), `[${F}]`, "[f(a='b')]", " ", "\n", ";", "{", "}", "[", "]", '"', "\\", "a", "<", "😀"],
  ]
  let state = 1
  const draw = (count: number) => (state = state * 48271 % 0x7fffffff) % count
  let called = 0
  for (let i = 0; i < 4000; i++) {
    const answer = Array.from({ length: draw(8) }, () => parts[draw(parts.length)]).join("")
    const spelling = [hermes, llama, mistral, lfm2][i % 4]
    const whole = readIn(1000, spelling, answer)
    called += whole.length - 1
    for (const size of [1, 3]) assertEquals(readIn(size, spelling, answer), whole, `${spelling.name}: ${answer}`)
    if (whole.length === 1) assertEquals(whole[0], answer)
  }
  assert(called > 200, `${called}`)
})

Deno.test("text is held back only where a call may begin", () => {
  const reader = callReader(hermes, OPTIONS)
  const given = ["One ", "two <", "b> <tool", "s> ", "end"].map((piece) => reader.add(piece).text)
  assertEquals([...given, reader.end().text], ["One", " two", " <b>", " <tools>", " end", ""])
})

Deno.test("a long call takes time by its length, and comes soon after its end", () => {
  const PIECES = 65_536
  for (const spelling of [hermes, llama, mistral, lfm2]) {
    const { begin, form } = spelling.hold([{ name: "f", parameters: {}, at: "" }], false)
    const bare = JSON.stringify(form).includes("parameters") ? "parameters" : "arguments"
    const [open, close] = [begin + (spelling === mistral || spelling === lfm2 ? "[" : ""), spelling.close ?? ""]
    const reader = callReader(spelling, OPTIONS)
    const since = process.cpuUsage()
    const calls = [...reader.add(`${open}{"name": "f", "${bare}": {"a": "`).calls]
    for (let i = 0; i < PIECES; i++) calls.push(...reader.add("abcd").calls)
    calls.push(...reader.add(`"}}${open.endsWith("[") ? "]" : ""}${close}`).calls)
    assertEquals(calls.length, 0)
    for (let i = 0; i < PIECES / 32; i++) calls.push(...reader.add("abcd").calls)
    assertEquals(calls.map((one) => one.arguments.length), [4 * PIECES + 9], spelling.name)
    const took = process.cpuUsage(since).user / 1e6
    assert(took < 5, `${spelling.name}: ${took} seconds`)
  }
})

Deno.test("of several calls only as many are given as are wanted", () => {
  for (const size of [1, 1000]) {
    assertEquals(readIn(size, hermes, `${call(F)}\n${call(G)}`, { most: 1 }), ["", `f {"a": 1}`])
    assertEquals(readIn(size, mistral, `[TOOL_CALLS][${F}, ${G}]`, { most: 1 }), ["", `f {"a": 1}`])
  }
})

Deno.test("an answer may begin before its first piece", () => {
  assertEquals(readIn(1, hermes, `${F}\n</tool_call>`, { begin: "<tool_call>\n" }), ["", `f {"a": 1}`])
  assertEquals(readIn(1, lfm2, `[${F}]`, { begin: "<|tool_call_start|>" }), ["", `f {"a": 1}`])
})

Deno.test("literals of Python are read as JSON", () => {
  const read = (text: string) => pythonCalls(text)?.map((call) => `${call.name} ${call.arguments}`)
  const values =
    `a='it\\'s "é" \\n\\x41\\u00e9\\U0001F600\\q', b=-1.50, c=True, d=None, e=[1, (2, 'x'), ], f={'k': {"l": false}}, g=1e5`
  assertEquals(read(`[f(${values})]`), [
    `f {"a": "it's \\"é\\" \\nAé😀\\\\q", "b": -1.50, "c": true, "d": null, "e": [1,[2,"x"]], "f": {"k": {"l": false}}, "g": 1e5}`,
  ])
  assertEquals(read(" [ my-tool.v2 ( ) , g ( a = 1 , ) ] "), ["my-tool.v2 {}", `g {"a": 1}`])
  assertEquals(read("[f(a='two\nlines')]"), [`f {"a": "two\\nlines"}`])
  const wrong = ["", "[", "f()", "[f()", "[f(1)]", "[f(a=x)]", "[f(a='x)]", "[f(a=1 b=2)]", "[f(a=01)]", "[f()] more"]
  for (const text of [...wrong, `[f(a=${"[".repeat(100_000)})]`, "[f(a={1: 2})]", "[f(a='\\', b=1)]", "[f(a=r'x')]"]) {
    assertEquals(read(text), undefined, text.slice(0, 40))
  }
})

const sourceOf = (name: string) =>
  Deno.readTextFileSync(new URL(`../../fixtures/chat/templates/${name}.jinja`, import.meta.url))

Deno.test("a call that was answered is written by the templates of its family, and read from there as it was", () => {
  const own = '{"city": "Rome, 羅馬 \\"a\\"", "days": [1.0, 12345678901234567890, true, null], "of": {"é": {}}}'
  // LFM2's template writes texts as they are, and Python's words.
  const plain = '{"city": "Rome, 羅馬", "days": 3, "warm": true}'
  const names = ["qwen2_5", "qwen3", "granite4", "llama3_2", "mistral_nemo", "lfm2_2_5"]
  for (const name of names) {
    const source = sourceOf(name)
    const template = chatTemplate(source, { tokens: { bos_token: "<s>", eos_token: "</s>" } })
    const spelling = spellingOf(source)!
    const written = name === "lfm2_2_5" ? plain : own
    const calls = Array.from({ length: name === "llama3_2" ? 1 : 2 }, () => ({
      ...{ id: newCallId(), type: "function" },
      function: { name: "weather", arguments: written },
    }))
    const messages = [
      { role: "user", content: "Is it warm?" },
      { role: "assistant", content: "", tool_calls: calls },
      { role: "tool", tool_call_id: calls[0].id, content: "26" },
    ].map((message, i) => withObjects(message, `messages[${i}]`))
    const [asked, called] = [template.render({ messages: messages.slice(0, 1) }, true), template.render({ messages })]
    assertEquals(called.text.startsWith(asked.text), true, name)
    const [, ...found] = readIn(1, spelling, called.text.slice(asked.text.length), { names: ["weather"] })
    assertEquals(found, calls.map(() => `weather ${written}`), `${name}: ${called.text}`)
  }
})

Deno.test("the spelling of calls is found in the templates of families that have one", () => {
  const found = (name: string) => spellingOf(sourceOf(name))?.name
  const wanted = {
    qwen2_5: "hermes",
    qwen3: "hermes",
    granite4: "hermes",
    llama3_2: "llama",
    mistral_nemo: "mistral",
    lfm2: "lfm2",
    lfm2_2_5: "lfm2",
    smollm2: undefined,
    llama3: undefined,
    chatml: undefined,
  }
  for (const [name, spelling] of Object.entries(wanted)) assertEquals(found(name), spelling, name)
  // Qwen3-Coder writes other calls within the same marks.
  assertEquals(spellingOf("{{- '<tool_call>\\n<function=' + name }}"), undefined)
  // As Hermes 2 Pro has it.
  assertEquals(spellingOf('<tool_call>\n{"arguments": <args-dict>, "name": <function-name>}')?.name, "hermes")
})
