/**
 * What templates render to, beside Python: `make.py` wrote the values with transformers.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Chat from "../../../plugins/chat/mod.ts"
import { DataError } from "../../../mod.ts"

const read = (name: string) =>
  JSON.parse(Deno.readTextFileSync(new URL(`../../fixtures/chat/${name}.json`, import.meta.url)))

interface Expected {
  /** Absent where Python raises. */
  readonly text?: string
  readonly generated?: ReadonlyArray<readonly [number, number]>
}

const constructs: {
  readonly values: Readonly<Record<string, unknown>>
  readonly templates: ReadonlyArray<string>
  readonly refused: ReadonlyArray<readonly [template: string, word: string]>
} = read("constructs")
const expected: ReadonlyArray<Expected> = read("constructs_rendered")

const render = (source: string) => Chat.chatTemplate(source).render({ messages: [], variables: constructs.values })

for (const [at, source] of constructs.templates.entries()) {
  Deno.test(`rendered as in Python: ${JSON.stringify(source).slice(0, 80)}`, () => {
    const { text, generated } = expected[at]
    if (text === undefined) return void assertThrows(() => render(source))
    const own = render(source)
    assertEquals(own.text, text)
    assertEquals(own.generated, generated)
  })
}

Deno.test("what is known to differ is refused by name", () => {
  for (const [source, word] of constructs.refused) {
    const { message } = assertThrows(() => render(source), Error)
    assert(message.includes(word), `${source}: ${message}`)
  }
  const error = assertThrows(() => Chat.chatTemplate("{{ a | groupby('x') }}", { from: "m" }), DataError)
  assertEquals(error.reason, "Template")
  assertEquals(error.message, 'm: the template cannot be used: it uses the filter "groupby", which is not known here')
})
