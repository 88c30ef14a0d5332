import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { makeGrammars } from "../../../plugins/server/writer/grammars.ts"
import { SMALL } from "./support.ts"

Deno.test("the grammars of the schemas that were used last are kept", () => {
  const json = (name: string) => JSON.parse(Deno.readTextFileSync(`${SMALL}/${name}`))
  const grammars = makeGrammars(tokenizerOf(json("tokenizer.json"), json("tokenizer_config.json")), [0])
  const of = (value: number) => Effect.runSync(grammars({ schema: { const: value } }))
  const [first, second] = [of(0), of(1)]
  for (let i = 2; i < 16; i++) of(i)
  assert(of(0) === first)
  of(16)
  assert(of(0) === first)
  assert(of(1) !== second)
  const wrong = grammars({ schema: { enum: Array(20_000).fill(1) } })
  for (let i = 0; i < 2; i++) assertEquals(Effect.runSync(Effect.flip(wrong)).reason, "Limit")
})
