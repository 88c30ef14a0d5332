import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { checkNames, type NameRule, type SafetensorsError } from "../../../core/formats/safetensors/safetensors.ts"

type Shapes = Record<string, Array<number>>
const options = (expected: Shapes, found: Shapes) => ({
  expected: new Map(Object.entries(expected)),
  found: new Map(Object.entries(found).map(([name, shape]) => [name, { shape }])),
  file: "m.safetensors",
})
const refused = (expected: Shapes, found: Shapes): SafetensorsError =>
  Effect.runSync(Effect.flip(checkNames(options(expected, found))))

Deno.test("what fits passes; what may be missing or left over is told", () => {
  const same = { "a.weight": [2, 3] }
  assertEquals(Effect.runSync(checkNames(options(same, same))), { missing: [], ignored: [] })
  const ignore: Array<NameRule> = ["rotary.inv_freq", "head.weight", /^old\./]
  const checked = checkNames({
    ...options({ ...same, "score.weight": [2] }, {
      ...same,
      "l.0.rotary.inv_freq": [1],
      "head.weight": [1],
      "old.x": [],
    }),
    ignore,
    optional: ["score.weight"],
  })
  assertEquals(Effect.runSync(checked), {
    missing: ["score.weight"],
    ignored: ["l.0.rotary.inv_freq", "head.weight", "old.x"],
  })
  const partOfName = checkNames({ ...options(same, { ...same, "ahead.weight": [1] }), ignore })
  assertEquals(Effect.runSync(Effect.flip(partOfName)).reason, "Unexpected")
})

Deno.test("one error lists everything", () => {
  const error = refused({ a: [1], b: [2, 3], c: [4] }, { b: [3], c: [4], d: [1] })
  assertEquals([error.reason, error.file], ["Missing", "m.safetensors"])
  assertStringIncludes(error.message, "missing (1): a")
  assertStringIncludes(error.message, "unexpected (1): d")
  assertStringIncludes(error.message, "wrongly shaped (1): b [3] instead of [2,3]")
})

Deno.test("long lists are cut to ten names and the count", () => {
  const many = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`w${i}`, [1]]))
  assertStringIncludes(
    refused(many, { x: [] }).message,
    "missing (13): w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, and 3 more",
  )
})

Deno.test("the likely reason", () => {
  const says = (expected: Shapes, found: Shapes, text: string) =>
    assertStringIncludes(refused(expected, found).message, `likely: ${text}`)
  says({ "l.0.w": [1], "l.1.w": [1] }, { "m.l.0.w": [1], "m.l.1.w": [1] }, 'the file\'s names carry the prefix "m."')
  says({ "m.l.0.w": [1], "h": [1] }, { "l.0.w": [1], "h": [1] }, 'the file\'s names lack the prefix "m."')
  says({ a: [1] }, {}, "the file holds no tensors")
  says({ a: [1] }, { b: [1] }, "the file belongs to a model of another architecture")
  says({ a: [1], b: [1] }, { b: [1] }, "the file is not complete")
  says({ a: [1] }, { a: [1], b: [1] }, "the file holds another head")
  says({ a: [2, 3] }, { a: [3, 2] }, "the file stores these matrices transposed")
  says({ a: [2, 3] }, { a: [4, 3] }, "config.json belongs to a model of another size")
})
