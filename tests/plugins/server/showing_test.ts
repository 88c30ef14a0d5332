import { assert, assertEquals } from "@std/assert"
import { tokenizerOf } from "../../../core/data/tokenizer/tokenizer_of.ts"
import { textPieces } from "../../../core/inference/text/text_pieces.ts"
import { showing } from "../../../plugins/server/writer/showing.ts"
import { SMALL } from "./support.ts"

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
