import { assertAlmostEquals, assertEquals } from "@std/assert"
import { adamW } from "../../../core/training/optimizers/adamw.ts"
import { clipByGlobalNorm, globalNorm } from "../../../core/training/optimizers/clip_by_global_norm.ts"
import type { Optimizer } from "../../../core/training/optimizers/optimizer.ts"
import { scheduleFactor } from "../../../core/training/optimizers/schedule.ts"
import { sgd } from "../../../core/training/optimizers/sgd.ts"
import { constant, input, slot, type SlotReference } from "../../../core/tensor/ops.ts"
import { build } from "../../../core/graph/build.ts"
import { interpret } from "../../../core/graph/interpret.ts"

const shape = [3]
const gradients = [[0.5, -2, 1e-4], [0.25, 3, 0], [-1, 0.1, 2e-3]]

/** Parameters after each of three steps by the optimizer's graph. */
function run(optimizer: Optimizer, rates: number[], weightDecay: number): number[][] {
  const reference = (id: number, name: string): SlotReference => ({ id, name, shape, dtype: "f32" })
  const own = reference(0, "parameter")
  const states = Object.fromEntries(
    Object.keys(optimizer.state(shape)).map((name, i) => [name, reference(1 + i, name)]),
  )
  const scalars = Object.fromEntries(Object.keys(optimizer.scalars(1)).map((name) => [name, input(name, [])]))
  const symbolic = Object.fromEntries(Object.entries(states).map(([name, reference]) => [name, slot(reference)]))
  const learningRate = input("learningRate", [])
  const next = optimizer.update(slot(own), input("gradient", shape), symbolic, { learningRate, scalars, weightDecay })
  const updates = Object.entries(states).map(([name, reference]) => [reference, next.state[name]] as const)
  const program = build({ name: "update", outputs: {}, updates: [[own, next.parameter], ...updates] })
  const slots = new Map([[0, Float64Array.of(1, -1, 0.5)]])
  return gradients.map((gradient, i) => {
    const numbers = Object.entries(optimizer.scalars(i + 1)).map(([name, value]) => [name, [value]])
    interpret(program, slots, { gradient, learningRate: [rates[i]], ...Object.fromEntries(numbers) })
    return [...slots.get(0)!]
  })
}

function assertClose(actual: number[][], expected: number[][]): void {
  actual.forEach((row, i) => row.forEach((value, j) => assertAlmostEquals(value, expected[i][j], 1e-9)))
}

Deno.test("AdamW follows its equations", () => {
  const rates = [0.1, 0.05, 0.2]
  let p = [1, -1, 0.5]
  const m = [0, 0, 0]
  const v = [0, 0, 0]
  const expected = gradients.map((g, i) => {
    const [t, lr] = [i + 1, rates[i]]
    p = p.map((value, j) => {
      m[j] = 0.9 * m[j] + 0.1 * g[j]
      v[j] = 0.999 * v[j] + 0.001 * g[j] ** 2
      return value * (1 - lr * 0.01) - lr * (m[j] / (1 - 0.9 ** t)) / (Math.sqrt(v[j] / (1 - 0.999 ** t)) + 1e-8)
    })
    return p
  })
  assertClose(run(adamW(), rates, 0.01), expected)
})

Deno.test("the first step of AdamW is the learning rate against the gradient's sign", () => {
  const [first] = run(adamW(), [0.1, 0, 0], 0)
  ;[0.9, -0.9, 0.4].forEach((value, i) => assertAlmostEquals(first[i], value, 1e-4))
})

Deno.test("SGD with momentum and decay follows its equations", () => {
  const rates = [0.1, 0.05, 0.2]
  let p = [1, -1, 0.5]
  const buffer = [0, 0, 0]
  const expected = gradients.map((g, i) => {
    p = p.map((value, j) => {
      buffer[j] = 0.9 * buffer[j] + g[j] + 0.01 * value
      return value - rates[i] * buffer[j]
    })
    return p
  })
  assertClose(run(sgd({ momentum: 0.9 }), rates, 0.01), expected)
})

Deno.test("schedules equal those of transformers", () => {
  const lengths = { warmup: 10, total: 100 }
  assertEquals(scheduleFactor("linear", 0, lengths), 0)
  assertEquals(scheduleFactor("cosine", 5, lengths), 0.5)
  assertAlmostEquals(scheduleFactor("linear", 30, lengths), 0.777778, 1e-6)
  assertAlmostEquals(scheduleFactor("cosine", 30, lengths), 0.883022, 1e-6)
  assertAlmostEquals(scheduleFactor("linear", 55, lengths), 0.5, 1e-12)
  assertAlmostEquals(scheduleFactor("cosine", 55, lengths), 0.5, 1e-12)
  assertEquals(scheduleFactor("linear", 100, lengths), 0)
  assertAlmostEquals(scheduleFactor("cosine", 100, lengths), 0, 1e-12)
  assertEquals(scheduleFactor("constant", 99, lengths), 1)
  assertEquals(scheduleFactor("linear", 0, { warmup: 0, total: 1 }), 1)
})

Deno.test("clipping scales all gradients by one number, and only when they are too long", () => {
  const clipped = (maxNorm: number) => {
    const all = new Map([["a", constant(Float32Array.of(3, 0), [2])], ["b", constant(Float32Array.of(4), [1])]])
    const norm = globalNorm(all)
    const result = clipByGlobalNorm(all, norm, maxNorm)
    const program = build({ name: "clip", outputs: { norm, a: result.get("a")!, b: result.get("b")! }, updates: [] })
    return interpret(program, new Map(), {})
  }
  const { norm, a, b } = clipped(1)
  assertEquals(norm[0], 5)
  assertAlmostEquals(a[0], 3 / 5.000001, 1e-9)
  assertAlmostEquals(b[0], 4 / 5.000001, 1e-9)
  assertEquals([...clipped(6).a], [3, 0])
})
