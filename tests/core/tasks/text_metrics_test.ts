import { assert, assertEquals } from "@std/assert"
import { bleu, exactMatch, rouge, type TextMetric, tokenF1 } from "../../../core/tasks/measures/text/mod.ts"
import { porterStem } from "../../../core/tasks/measures/text/porter_stem.ts"
import { fixture } from "../../support/model_layer.ts"

interface Case {
  readonly text: string
  readonly references: ReadonlyArray<string>
}

/** By sacrebleu, rouge-score and NLTK: `tests/fixtures/text_metrics/make.py`. */
const { cases, corpus, stems }: {
  readonly cases: ReadonlyArray<Case & Readonly<Record<string, number>>>
  readonly corpus: number
  readonly stems: Readonly<Record<string, string>>
} = JSON.parse(Deno.readTextFileSync(fixture("text_metrics/cases.json")))

Deno.test("stems of words as NLTK has them", () => {
  assert(Object.keys(stems).length > 700)
  for (const [word, stem] of Object.entries(stems)) assertEquals(porterStem(word), stem, word)
})

Deno.test("200 texts are scored as by sacrebleu, rouge-score and SQuAD's script", () => {
  assertEquals(cases.length, 200)
  const metrics: ReadonlyArray<TextMetric> = [rouge(), bleu(), exactMatch(), tokenF1()]
  for (const [i, { text, references, ...expected }] of cases.entries()) {
    const scores: Readonly<Record<string, number>> = Object.assign(
      {},
      ...metrics.map(({ score }) => score([text], [references])),
    )
    assertEquals(Object.keys(scores).sort(), Object.keys(expected).sort())
    for (const [name, score] of Object.entries(scores)) {
      const wanted = (expected as Readonly<Record<string, number>>)[name]
      assert(Math.abs(score - wanted) <= 1e-9 * Math.max(1, wanted), `${name} of case ${i}: ${score}, not ${wanted}`)
    }
  }
  const spread = cases.map((one) => one.bleu)
  assert(Math.max(...spread) > 90 && spread.filter((score) => score > 0 && score < 90).length > 50)
})

Deno.test("scores of several texts: BLEU of all n-grams together, means of the others", () => {
  const own = cases.filter(({ references }) => references.length === 2)
  const [texts, references] = [own.map(({ text }) => text), own.map((one) => one.references)]
  assert(Math.abs(bleu().score(texts, references).bleu - corpus) < 1e-9, `${corpus}`)
  const mean = own.reduce((sum, { rouge2 }) => sum + rouge2, 0) / own.length
  assert(Math.abs(rouge().score(texts, references).rouge2 - mean) < 1e-9)
  assertEquals(rouge().score([], []).rouge1, 0)
})
