import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { parseJson, readJson } from "../../../core/formats/json/json_file.ts"
import { writeJson } from "../../../core/formats/json/write_json.ts"
import { ConfigReader, readModelConfig } from "../../../core/formats/json/model_config.ts"
import { failure, inDirectory, run } from "./support.ts"

Deno.test("JSON is written and read", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/a.json`
    await run(writeJson(path, { a: [1, null], b: "é" }))
    assertEquals(Deno.readTextFileSync(path).at(-1), "\n")
    assertEquals(await run(readJson(path)), { a: [1, null], b: "é" })
    await Deno.writeTextFile(path, "\ufeff[1]")
    assertEquals(await run(readJson(path)), [1])
    assertEquals((await failure(readJson(`${directory}/none`))).reason, "NotFound")
  }))

const wrong: ReadonlyArray<readonly [text: string, line: number, column: number]> = [
  ['{"a": x}', 1, 7],
  ['{\n  "a": 1,\n  "b" 2\n}', 3, 7],
  ["", 1, 1],
  ['{"a": 1', 1, 8],
  ['{"a": 1,}', 1, 9],
  ["[1, 2,]", 1, 7],
  ["[1 2]", 1, 4],
  ["{}\n\n x", 3, 2],
  ["[01]", 1, 3],
  ['["a\\x"]', 1, 2],
  ["[tru]", 1, 2],
]
for (const [text, line, column] of wrong) {
  Deno.test(`a syntax error has its place: ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseJson(text, "c.json"), JsonError) as JsonError
    assertEquals([error.reason, error.line, error.column], ["Syntax", line, column])
    assertStringIncludes(error.message, `"c.json" is not valid JSON, line ${line}, column ${column}`)
  })
}

Deno.test("fields of a config are checked", () => {
  const config = new ConfigReader("config.json", {
    hidden_size: "x",
    layers: 2,
    half: 0.5,
    zero: 0,
    tie: true,
    act: "silu",
    none: null,
    names: ["A"],
    rope: { type: "y", factor: 8 },
  })
  assertEquals(config.integer("layers"), 2)
  assertEquals(config.integer("zero", { min: 0 }), 0)
  assertEquals(config.integer("none", { default: 7 }), 7)
  assertEquals(config.number("half"), 0.5)
  assertEquals(config.boolean("tie"), true)
  assertEquals(config.boolean("absent", { default: false }), false)
  assertEquals(config.string("act", { choices: ["silu", "gelu"] }), "silu")
  assertEquals(config.strings("names"), ["A"])
  assertEquals(config.object("rope").number("factor", { min: 1 }), 8)
  assertEquals(config.optional("none", (name) => config.integer(name)), undefined)
  assertEquals(config.optional("layers", (name) => config.integer(name)), 2)
  assertEquals(config.has("toString"), false)
  const says = (read: () => unknown, message: string) => assertEquals(assertThrows(read, JsonError).message, message)
  says(() => config.integer("hidden_size"), 'config.json: hidden_size must be a positive integer, got "x"')
  says(() => config.integer("half"), "config.json: half must be a positive integer, got 0.5")
  says(() => config.integer("zero"), "config.json: zero must be a positive integer, got 0")
  says(() => config.integer("layers", { min: 3 }), "config.json: layers must be an integer of at least 3, got 2")
  says(() => config.integer("absent"), "config.json: absent must be a positive integer, but it is missing")
  says(() => config.boolean("layers", { default: true }), "config.json: layers must be true or false, got 2")
  says(() => config.string("act", { choices: ["gelu"] }), 'config.json: act must be one of "gelu", got "silu"')
  says(() => config.object("rope").integer("type"), 'config.json: rope: type must be a positive integer, got "y"')
  says(() => config.object("names"), 'config.json: names must be an object, got ["A"]')
})

Deno.test("config.json of a directory", () =>
  inDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/config.json`, '{"model_type":"m","n":"1"}')
    const config = await run(readModelConfig(`${directory}/`))
    assertEquals(await run(config.decode((c) => c.string("model_type"))), "m")
    const error = await failure(config.decode((c) => c.integer("n")))
    assert(error instanceof JsonError && error.reason === "Value")
    await Deno.writeTextFile(`${directory}/config.json`, "[]")
    assertStringIncludes((await failure(readModelConfig(directory))).message, "must hold a JSON object")
  }))
