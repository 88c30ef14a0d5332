import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import type { Reviewed } from "../../../core/run/mod.ts"
import { load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { fromRows } from "../../../core/tasks/dataset/dataset.ts"
import * as Retrieval from "../../../plugins/retrieval/mod.ts"
import { onWasm } from "../../support/on_wasm.ts"

const prompts = ["One and 2 is", "Once upon a time", "One and 2 is", "Nothing"]
const judging = fromRows(prompts.map((prompt, i) => ({ prompt, completion: ` ${i}` })), {
  prompt: "prompt",
  completion: "completion",
})
const texts = fromRows([{ text: "a" }], { text: "text" })

/** Counts letters: supported are those of the prompt. */
const letters: Retrieval.FactCheck<string> = {
  name: "letters",
  judge: (text, evidence) => {
    const facts = [...text].map((value) => ({ name: "letter", value }))
    const has = ({ value }: Retrieval.Fact) => evidence.includes(value)
    return { supported: facts.filter(has), unsupported: facts.filter((fact) => !has(fact)), covered: [], missing: [] }
  },
}

Deno.test("a review judges the same prompts before and after, once each, where there is evidence", () =>
  onWasm(Effect.gen(function* () {
    const directory = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
    const model = yield* load(directory, { task: Task.causalLM(), frozen: true })
    const review = Retrieval.factReview({
      check: letters,
      evidence: (prompt) => prompt === "Nothing" ? undefined : prompt,
      maxNewTokens: 4,
    })
    const seen = { parts: [{ judging }, { judging: texts, name: "texts" }], model } as unknown as Reviewed
    const { sections, summary } = yield* (yield* review(seen))([])
    assertEquals(sections.map(({ title }) => title), ["Agreement with evidence"])
    const [{ before, after }] = summary!.agreement as [Record<"before" | "after", Retrieval.Agreement>]
    assertEquals(before, after)
    assertEquals(before.texts, 2)
    assert(before.stated > 0 && before.supported > 0 && before.supported < 1, `${before.supported}`)
    assertEquals(sections[0].table!.rows[1][3], "0.0 % to 0.0 %")
    const few = Retrieval.factReview({ check: letters, evidence: (prompt) => prompt, prompts: 1, maxNewTokens: 4 })
    const found = yield* (yield* few({ ...seen, parts: seen.parts.slice(0, 1) }))([])
    assertEquals((found.summary!.agreement as [{ before: Retrieval.Agreement }])[0].before.texts, 1)
    const none = Retrieval.factReview({ check: letters, evidence: () => undefined })
    assertEquals((yield* (yield* none(seen))([])).sections, [])
  })))
