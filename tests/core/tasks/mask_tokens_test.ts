import { assert, assertEquals } from "@std/assert"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import { MASKED } from "../../../core/data/encode.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { maskTokens } from "../../../core/tasks/mask_tokens.ts"
import { evaluateAll } from "../../support/evaluate.ts"

const MASK = 3
const [rows, length, vocabSize] = [40, 100, 1000]

/** Whether rows lie one after the other in a packed row; the results are the same places either way. */
type Layout = "rows" | "packed"

/** Masks rows of tokens 10 and up; the first and last token of each are special, and the last row is all padding. */
const masked = (key: number, layout: Layout = "rows") => {
  const tokens = Int32Array.from({ length: rows * length }, (_, i) => 10 + (i * 7) % 990)
  const labels = tokens.map((token, i) => i % length === 0 || i % length === length - 1 ? MASKED : token)
  labels.fill(MASKED, (rows - 1) * length)
  // One token alone that may be hidden.
  labels.fill(MASKED, (rows - 2) * length + 2, (rows - 1) * length)
  const batch: BatchTensors = {
    tokens: ops.input("tokens", [rows, length], { dtype: "i32", batch: true }),
    fields: { labels: ops.input("labels", [rows, length], { dtype: "i32", batch: true }) },
    lengths: ops.full(length, [rows], "i32"),
    exampleWeight: ops.full(1, [rows]),
    task: "default",
  }
  const asRow = (data: ReadonlyArray<number>) => ops.constant(Int32Array.from(data), [1, data.length])
  const places = Array.from(tokens.keys())
  const packed: BatchTensors = {
    ...batch,
    tokens: ops.input("tokens", [1, rows * length], { dtype: "i32" }),
    fields: { labels: ops.input("labels", [1, rows * length], { dtype: "i32" }) },
    packed: {
      positions: asRow(places.map((i) => i % length)),
      // The last row stands for padding.
      segments: asRow(places.map((i) => Math.floor(i / length))),
      first: ops.full(0, [rows - 1], "i32"),
      last: ops.full(0, [rows - 1], "i32"),
      longest: length,
    },
    lengths: ops.full(length, [rows - 1], "i32"),
  }
  const given = layout === "packed" ? packed : batch
  const changed = maskTokens(given, [ops.full(key, [], "i32"), ops.full(0, [], "i32")], { maskId: MASK, vocabSize })
  const [newTokens, newLabels] = evaluateAll([changed.tokens, changed.fields.labels], { inputs: { tokens, labels } })
  return { tokens, labels, newTokens, newLabels }
}

for (const layout of ["rows", "packed"] as const) {
  Deno.test(`15 % of the tokens are hidden: 80 % behind the mask, 10 % behind a random token, 10 % not at all (${layout})`, () => {
    const { tokens, labels, newTokens, newLabels } = masked(1, layout)
    const count = (test: (i: number) => boolean) => Array.from(tokens.keys()).filter(test).length
    const isChosen = (i: number) => newLabels[i] !== MASKED
    const chosen = count(isChosen)
    // Within three standard deviations of a binomial.
    const near = (found: number, share: number, of: number) =>
      assert(Math.abs(found - share * of) < 3 * Math.sqrt(of * share * (1 - share)), `${found} of ${of}, not ${share}`)
    near(chosen, 0.15, count((i) => labels[i] !== MASKED))
    near(count((i) => isChosen(i) && newTokens[i] === MASK), 0.8, chosen)
    near(count((i) => isChosen(i) && newTokens[i] === tokens[i]), 0.1, chosen)
    for (let i = 0; i < tokens.length; i++) {
      if (isChosen(i)) assertEquals(newLabels[i], labels[i])
      else assertEquals(newTokens[i], tokens[i])
      assert(newTokens[i] >= 0 && newTokens[i] < vocabSize && Number.isInteger(newTokens[i]))
    }
  })

  Deno.test(`each example has something to find, special tokens and padding stay, another key hides others (${layout})`, () => {
    const { labels, newLabels } = masked(1, layout)
    for (let row = 0; row < rows - 1; row++) {
      assert(newLabels.subarray(row * length, (row + 1) * length).some((label) => label !== MASKED), `row ${row}`)
    }
    assertEquals(newLabels[(rows - 2) * length + 1], labels[(rows - 2) * length + 1])
    assert(newLabels.subarray((rows - 1) * length).every((label) => label === MASKED))
    labels.forEach((label, i) => label === MASKED && assertEquals(newLabels[i], MASKED))
    const other = masked(2, layout).newLabels
    const same = newLabels.filter((label, i) => label !== MASKED && other[i] !== MASKED).length
    assert(same < 0.4 * newLabels.filter((label) => label !== MASKED).length, `${same} are the same`)
    assertEquals(masked(1, layout).newLabels, newLabels)
  })
}
