import { assertEquals, assertStringIncludes } from "@std/assert"
import type { NamedTensor } from "./tensors.ts"
import {
  compareInitialization,
  compareLogits,
  compareStart,
  compareTraining,
  inParts,
  type Training,
} from "./compare.ts"

const tensor = (...values: Array<number>): NamedTensor => ({ shape: [values.length], data: Float32Array.from(values) })
const tensors = (a: NamedTensor, b: NamedTensor): Map<string, NamedTensor> => new Map([["a", a], ["b", b]])
const reference: Training = {
  losses: [4, 3, 2],
  firstGradients: tensors(tensor(1, 2, 3), tensor(0, 1e-9)),
  initial: tensors(tensor(1, 1, 1), tensor(0, 0)),
  trained: tensors(tensor(1, 1.5, 0.5), tensor(0.25, 0)),
}
const only = (violations: ReadonlyArray<string>, text: string): void => {
  assertEquals(violations.length, 1, violations.join("\n"))
  assertStringIncludes(violations[0], text)
}

Deno.test("a run conforms to itself and to a run within the tolerances", () => {
  assertEquals(compareTraining(reference, reference), [])
  const near: Training = {
    losses: [4.00002, 3, 2],
    firstGradients: tensors(tensor(1.00001, 2, 3), tensor(1e-8, 0)),
    initial: reference.initial,
    trained: tensors(tensor(1, 1.5003, 0.5), tensor(0.25, 0)),
  }
  assertEquals(compareTraining(reference, near), [])
})

Deno.test("a factor widens the tolerances, and no more", () => {
  const near: Training = { ...reference, losses: [4.0002, 3, 2] }
  only(compareTraining(reference, near), "step 0")
  assertEquals(compareTraining(reference, near, [], 10), [])
  const far: Training = { ...reference, firstGradients: tensors(tensor(1.001, 2, 3), tensor(0, 0)) }
  only(compareTraining(reference, far, [], 10), '"a" is off')
})

Deno.test("each part of the rule fails by itself", () => {
  const wrong = (change: Partial<Training>): Array<string> => compareTraining(reference, { ...reference, ...change })
  only(wrong({ losses: [4, 3.0001, 2] }), "step 1")
  only(wrong({ losses: [4, NaN, 2] }), "step 1")
  only(wrong({ losses: [4, 3] }), "2 steps")
  only(wrong({ firstGradients: tensors(tensor(1.0001, 2, 3), tensor(0, 0)) }), '"a" is off')
  only(wrong({ firstGradients: tensors(tensor(1, 2, 3), tensor(0, 1e-3)) }), "the reference is zero")
  only(wrong({ firstGradients: tensors(tensor(NaN, 2, 3), tensor(0, 0)) }), '"a" is off')
  only(wrong({ trained: tensors(tensor(1, 1.51, 0.5), tensor(0.25, 0)) }), 'change of "a"')
  only(wrong({ trained: new Map([["a", reference.trained.get("a")!]]) }), '"b" is missing')
  only(wrong({ firstGradients: new Map([...reference.firstGradients, ["c", tensor(1)]]) }), '"c" is unexpected')
  only(wrong({ initial: tensors(tensor(1, 1), tensor(0, 0)) }), "has shape [2], the reference [3]")
})

Deno.test("a reference that proves nothing is a violation", () => {
  const still = { ...reference, trained: tensors(reference.trained.get("a")!, tensor(0, 0)) }
  only(compareTraining(still, still), 'never changed "b"')
  const flat = { ...reference, losses: [4, 3.9, 3.9] }
  only(compareTraining(flat, flat), "nothing much was learned")
})

Deno.test("parts of a tensor are compared apart, by their own size", () => {
  const of = (a: NamedTensor) => ({
    ...reference,
    initial: tensors(tensor(0, 0), tensor(0, 0)),
    trained: tensors(a, tensor(1, 1)),
  })
  const [whole, near] = [of(tensor(1000, 1)), of(tensor(1000, 1.1))]
  assertEquals(compareTraining(whole, near), [])
  const apart = (training: Training) => inParts(training, { a: ["large", "small"] })
  only(compareTraining(apart(whole), apart(near)), '"a.small" is off')
})

Deno.test("logits are compared one by one", () => {
  assertEquals(compareLogits("x", [1, 2], [1.00005, 2]), [])
  only(compareLogits("x", [1, 2], [1.001, 2]), "x: off by 1.00e-3")
  only(compareLogits("x", [1, 2], [1, NaN]), "off by")
  only(compareLogits("x", [1, 2], [1]), "1 values")
})

Deno.test("a new adapter is judged by its distribution", () => {
  const size = 4096
  // Deterministic samples: a van der Corput sequence, and two of them summed six times over for a nearly normal one.
  const uniform = (seed: number): Float32Array => {
    let state = seed
    return Float32Array.from({ length: size }, () => (state = (state * 48271) % 2147483647) / 2147483647 * 2 - 1)
  }
  const sum = Array.from({ length: 12 }, (_, i) => uniform(i + 2)).reduce((a, b) => a.map((x, i) => x + b[i] / 2))
  const set = (data: Float32Array, zero = 0): Map<string, NamedTensor> =>
    new Map([["A", { shape: [size], data }], ["B", tensor(zero)]])
  assertEquals(compareInitialization(set(uniform(11)), set(uniform(12))), [])
  only(compareInitialization(set(uniform(11)), set(uniform(12).map((x) => x * 1.2))), '"A"')
  only(compareInitialization(set(sum), set(uniform(12).map((x) => x * Math.sqrt(3)))), '"A"')
  only(compareInitialization(set(uniform(11)), set(uniform(12), 1)), '"B" is not zero')
})

Deno.test("adapters that start from base weights agree when their products do", () => {
  const set = (a: number[], b: number[]) =>
    new Map([
      ["x.lora_A.weight", { shape: [2, 3], data: Float64Array.from(a) }],
      ["x.lora_B.weight", { shape: [2, 2], data: Float64Array.from(b) }],
    ])
  const [a, b] = [[1, 2, 3, 0, 4, 5], [6, 7, 8, 9]]
  assertEquals(compareStart(set(a, b), set(a.map((x) => -x), b.map((x) => -x))), [])
  only(compareStart(set(a, b), set(a, b.map((x) => -x))), "x.lora_A")
  only(compareStart(set(a, b), set(a, [6, 7, 8, 9.1])), "x.lora_A")
})
