import { causalLM } from "../../../core/tasks/causal_lm.ts"
import { classificationMetrics, confusionMatrix } from "../../../core/tasks/measures/classification_metrics.ts"
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert"
import { describe, it } from "@std/testing/bdd"

describe("classification metrics", () => {
  it("equal hand-computed ones for two classes", () => {
    // 8 ham: 7 found, 1 taken for spam. 4 spam: 3 found, 1 missed.
    const expected = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    const predicted = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0]
    const metrics = classificationMetrics(expected, predicted, ["ham", "spam"])
    assertEquals(metrics.confusion, [[7, 1], [1, 3]])
    assertAlmostEquals(metrics.accuracy, 10 / 12)
    assertAlmostEquals(metrics.macroF1, (7 / 8 + 3 / 4) / 2)
    // (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN)) = (21 - 1) / sqrt(4 * 4 * 8 * 8)
    assertAlmostEquals(metrics.matthews, 20 / 32)
    assertEquals(metrics.perClass, [
      { label: "ham", precision: 7 / 8, recall: 7 / 8, f1: 7 / 8, support: 8 },
      { label: "spam", precision: 3 / 4, recall: 3 / 4, f1: 3 / 4, support: 4 },
    ])
  })

  it("equal hand-computed ones for three classes", () => {
    const metrics = classificationMetrics([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], ["a", "b", "c"])
    assertEquals(metrics.confusion, [[2, 0, 0], [1, 0, 1], [0, 2, 0]])
    assertAlmostEquals(metrics.accuracy, 1 / 3)
    assertAlmostEquals(metrics.macroF1, 0.8 / 3)
    // c s - sum(p t) = 2 * 6 - (3*2 + 2*2 + 1*2) = 0
    assertEquals(metrics.matthews, 0)
    assertAlmostEquals(metrics.perClass[0].precision, 2 / 3)
    assertEquals(metrics.perClass[0].recall, 1)
  })

  it("score an absent class 0 and count it in the macro mean", () => {
    const metrics = classificationMetrics([0, 0, 1], [0, 0, 1], ["a", "b", "never"])
    assertEquals(metrics.perClass[2], { label: "never", precision: 0, recall: 0, f1: 0, support: 0 })
    assertAlmostEquals(metrics.macroF1, 2 / 3)
    assertEquals(metrics.accuracy, 1)
    assertEquals(metrics.matthews, 1)
  })

  it("are 0 where all predictions are of one class, or nothing was predicted", () => {
    assertEquals(classificationMetrics([0, 1], [0, 0], ["a", "b"]).matthews, 0)
    const none = classificationMetrics([], [], ["a", "b"])
    assertEquals([none.accuracy, none.macroF1, none.matthews], [0, 0, 0])
  })

  it("refuse labels that are none", () => {
    assertThrows(() => confusionMatrix([0], [0, 1], 2), RangeError, "1 expected labels but 2 predicted")
    assertThrows(() => confusionMatrix([0, 2], [0, 1], 2), RangeError, "Label 2 of example 1")
    assertThrows(() => confusionMatrix([-1], [0], 2), RangeError, "Label -1")
    assertThrows(() => confusionMatrix([0.5], [0], 2), RangeError, "Label 0.5")
  })
})

Deno.test("perplexity of a uniform guess is the number of choices", () => {
  const perplexity = (loss: number) => causalLM().judge([], loss, []).metrics!.perplexity
  assertAlmostEquals(perplexity(Math.log(50)), 50)
  assertEquals(perplexity(0), 1)
})
