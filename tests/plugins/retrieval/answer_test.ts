import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { namedOf } from "../../../plugins/retrieval/answer.ts"
import { chatTemplate } from "../../../plugins/chat/mod.ts"
import * as Retrieval from "../../../plugins/retrieval/mod.ts"
import { onWasm } from "../../support/on_wasm.ts"
import { fixture, run } from "../../support/model_layer.ts"
import { DOCUMENTS, words } from "./support.ts"

const INCLUDED = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
const included = load(INCLUDED, { task: Task.causalLM(), frozen: true })
const questions = ["When does the museum open?", "What does a ticket cost?"]

Deno.test("a prompt numbers its passages, and the numbers that an answer names are read", () => {
  const prompt = Retrieval.numberedPrompt("When?", DOCUMENTS)
  assertStringIncludes(prompt, "[2] A ticket costs eight euros. Children pay half of that.\n\n[3] Boats")
  assert(prompt.endsWith("Question: When?\nAnswer:"))
  assertEquals(Retrieval.namedNumbers("At nine [1], see [3, 2] and [1]. It is [sic] [ 4 ]."), [1, 3, 2, 4])
  const passages = DOCUMENTS.map((document, index) => ({ ...document, begin: 0, index, score: 1 }))
  assertEquals(namedOf("At nine [3]; [1, 4], [0].", passages), {
    sources: [passages[2], passages[0]],
    unknown: [4, 0],
  })
})

Deno.test("a model answers several questions from their passages, the same for each alone", () =>
  onWasm(Effect.gen(function* () {
    const model = yield* included
    const index = yield* Retrieval.index(words(), DOCUMENTS)
    const options = { count: 2, maxNewTokens: 6 }
    const both = yield* Retrieval.answer(model, index, questions, options)
    assertEquals(both.map(({ passages: [{ source }] }) => source), ["museum.txt", "prices.txt"])
    assertEquals(both.map(({ passages }) => passages.length), [2, 2])
    const [second] = yield* Retrieval.answer(model, index, questions.slice(1), options)
    assertEquals(second, both[1])
    const seen: Array<string> = []
    const prompt: Retrieval.PromptOf = (question, passages) => {
      seen.push(`${question} ${passages.length}`)
      return question
    }
    const [other] = yield* Retrieval.answer(model, index, questions, { ...options, prompt })
    assertEquals(seen, questions.map((question) => `${question} 2`))
    assert(other.text !== both[0].text, "the prompt plays no part")
    const chat = chatTemplate("{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}")
    const [chatted] = yield* Retrieval.answer(model, index, questions, { ...options, chat })
    assert(chatted.text !== both[0].text, "the template plays no part")
  })))

Deno.test("passages beyond the model's positions are left out, and none at all is an error", () =>
  onWasm(Effect.gen(function* () {
    const model = yield* included
    const { maxPositions } = model.network
    const long = DOCUMENTS.map(({ source, text }) => ({ source, text: `${text} `.repeat(8) }))
    const index = yield* Retrieval.index(words(), long, { passageLength: 2000, overlap: 0 })
    const ask = (maxNewTokens: number) =>
      Retrieval.answer(model, index, questions.slice(0, 1), { count: 3, maxNewTokens })
    const [whole] = yield* ask(2)
    const [cut] = yield* ask(maxPositions - 240)
    assert(cut.passages.length < whole.passages.length, `${cut.passages.length} of ${whole.passages.length}`)
    assertEquals(cut.passages, whole.passages.slice(0, cut.passages.length))
    const error = yield* Effect.flip(ask(maxPositions - 20))
    assertStringIncludes(error.message, "the model has room for 20: shorter passages (passageLength)")
    assertEquals((error as { readonly reason?: string }).reason, "TooLong")
  })))

Deno.test("models of several families embed, with their own pooling, and another model's index is refused", () =>
  run(Effect.gen(function* () {
    const [cls, gemma] = yield* Effect.forEach(
      ["cls", "gemma3"],
      (name) => Retrieval.loadEncoder(fixture(`sentence_transformers/${name}`), { query: "query: " }),
    )
    const [one] = yield* cls.embed(["a pear"], "passage")
    const [asked] = yield* cls.embed(["a pear"], "query")
    const [written] = yield* cls.embed(["query: a pear"], "passage")
    assert(Math.abs(Math.hypot(...one) - 1) < 1e-6)
    assertEquals(asked, written)
    assert(one.some((value, i) => Math.abs(value - asked[i]) > 1e-4), "the text before a query plays no part")
    // The head of a classifier, here of three labels, is not used.
    const classifier = yield* Retrieval.loadEncoder(fixture("directories/5/distilbert"))
    assertEquals((yield* classifier.embed(["a pear"], "passage"))[0].length, 8)
    const index = yield* Retrieval.index(cls, DOCUMENTS)
    const error = yield* Effect.flip(Retrieval.search({ ...index, encoder: gemma }, ["a pear"]))
    assertStringIncludes(error.message, "use the encoder that the index was made with")
  })))
