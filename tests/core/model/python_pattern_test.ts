import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { PatternError, pythonPattern } from "../../../core/model/sites/python_pattern.ts"
import { fixture } from "../../support/model_layer.ts"

type Row = readonly [pattern: string, whole: string | null, start: string | null]
const table = JSON.parse(Deno.readTextFileSync(fixture("python_patterns/patterns.json")))
const { names, rows } = table as { names: ReadonlyArray<string>; rows: ReadonlyArray<Row> }

Deno.test("a pattern means what Python's re makes of it, or is refused", () => {
  let followed = 0
  for (const [pattern, whole, start] of rows) {
    let read
    try {
      read = [pythonPattern(pattern), pythonPattern(pattern, "start")]
    } catch (error) {
      assert(error instanceof PatternError)
      // What Python takes is refused for want of an equal alone.
      if (whole !== null) assertStringIncludes(error.message, "has no equal in JavaScript", pattern)
      continue
    }
    const bits = read.map(({ matches }) => names.map((name) => matches(name) ? "1" : "0").join(""))
    assertEquals([pattern, ...bits], [pattern, whole, start])
    followed++
  }
  const taken = rows.filter(([, whole]) => whole !== null).length
  assert(followed > 0.85 * taken, `${followed} of ${taken} are followed`)
})

Deno.test("named groups keep their names", () => {
  const { named } = pythonPattern(String.raw`(?:^|.*?\.)(layers|h)\.(?P<idx>\d+)\.`, "start")
  assertEquals(named("model.layers.12.mlp.up_proj", "idx"), "12")
  assertEquals(named("transformer.h.3.attn", "idx"), "3")
  assertEquals(named("lm_head", "idx"), undefined)
  assertEquals(named("transformer.h.3.attn", "other"), undefined)
})

Deno.test("what is refused says what, and where", () => {
  const cases: ReadonlyArray<readonly [string, string]> = [
    ["(?<n>a)", "(?<name>...) is written (?P<name>...), at 1"],
    [String.raw`ab\p{L}`, String.raw`\p is no escape of Python's, at 3`],
    ["a(?i)b", "flags (?i) must come first; (?i:...) sets them for a part, at 2"],
    ["[^]", "missing ], at 1"],
    [String.raw`(?<=a*)b`, "a look-behind needs a fixed width, at 1"],
    ["(a)?(?(1)b|c)", "a condition (?(...)...) has no equal in JavaScript, at 5"],
    [String.raw`\N{BULLET}`, String.raw`\N (a character by its name) has no equal in JavaScript, at 1`],
    ["x**", "multiple repeat, at 3"],
    ["a|*", "nothing to repeat, at 3"],
  ]
  for (const [pattern, message] of cases) assertThrows(() => pythonPattern(pattern), PatternError, message)
  // Places count from the part that a person wrote.
  assertThrows(() => pythonPattern(String.raw`(.*\.)?(q*+*)$`, "start", 8), PatternError, "at 4")
})
