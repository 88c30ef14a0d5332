/**
 * PCGrad and weights of losses against their formulas in float64.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import type { Gradients } from "../../../core/contracts/gradient_transform.ts"
import type { ObjectiveContext } from "../../../core/contracts/objective.ts"
import { evaluate, evaluateAll } from "../../../core/graph/evaluate.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { drawOrder, pcgrad } from "../../../plugins/multitask/gradient_surgery.ts"
import { byFactor, byUncertainty } from "../../../plugins/multitask/loss_weights.ts"
import { distance } from "../../support/model_layer.ts"

const keyOf = (step: number) => [ops.full(17, [], "i32"), ops.full(step, [], "i32")] as const

/** Algorithm 1 as it is written, on vectors. */
function projected(gradients: ReadonlyArray<ReadonlyArray<number>>, order: ReadonlyArray<ReadonlyArray<number>>) {
  const dot = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) => a.reduce((sum, x, i) => sum + x * b[i], 0)
  return gradients.map((gradient, i) => {
    let own = gradient
    for (const j of order[i]) {
      const along = dot(own, gradients[j])
      if (along < 0) own = own.map((x, k) => x - along / dot(gradients[j], gradients[j]) * gradients[j][k])
    }
    return own
  })
}

/** The others of each task in their drawn order. */
function orders(count: number, step: number): ReadonlyArray<ReadonlyArray<number>> {
  const places = evaluate(drawOrder(count, keyOf(step)))
  return Array.from({ length: count }, (_, i) => {
    const own = Array.from(places.slice(i * count, (i + 1) * count))
    assertEquals(own.toSorted(), [...own.keys()])
    assertEquals(own[i], count - 1)
    return [...own.keys()].sort((a, b) => own[a] - own[b]).slice(0, -1)
  })
}

Deno.test("PCGrad is the paper's algorithm, in what all tasks share alone", () => {
  for (const count of [2, 3, 5]) {
    for (let step = 0; step < 8; step++) {
      const rng = makeRng(count, step)
      const shapes = { "a.weight": [2, 3], "b.bias": [4], "heads.t0.score": [3] }
      const values = Array.from(
        { length: count },
        () =>
          Object.entries(shapes).map(([key, shape]) =>
            [key, Float64Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal())] as const
          ),
      )
      const tasks = new Map(values.map((own, i) => [
        // The order of tasks in the map means nothing.
        `t${i}`,
        new Map(own.map(([key, data]) => [
          key,
          ops.constant(data as never, shapes[key as keyof typeof shapes]),
        ])) as Gradients,
      ]))
      const shared = new Set(["a.weight", "b.bias"])
      const flat = values.map((own) => own.filter(([key]) => shared.has(key)).flatMap(([, data]) => [...data]))
      const expected = projected(flat, orders(count, step))
      const context = {
        step: ops.full(1, [], "i32"),
        key: keyOf(step),
        weights: new Map(),
        shared,
        measures: new Map(),
      }
      for (const given of [tasks, new Map([...tasks].reverse())]) {
        const [found] = pcgrad.update(given, {}, context)
        assertEquals([...found.keys()], [...given.keys()])
        for (let i = 0; i < count; i++) {
          const own = found.get(`t${i}`)!
          const ofShared = evaluateAll([...shared].map((key) => own.get(key)!)).flatMap((one) => [...one])
          assert(
            distance(ofShared, expected[i]) < 1e-12,
            `${count} tasks, step ${step}: ${distance(ofShared, expected[i])}`,
          )
          assertEquals(own.get("heads.t0.score"), tasks.get(`t${i}`)!.get("heads.t0.score"))
        }
      }
    }
  }
})

Deno.test("every order of projections comes, another one for each task", () => {
  const seen = new Map<string, number>()
  for (let step = 0; step < 300; step++) {
    for (const [i, order] of orders(3, step).entries()) {
      seen.set(`${i}: ${order}`, (seen.get(`${i}: ${order}`) ?? 0) + 1)
    }
  }
  assertEquals(seen.size, 6)
  for (const [order, count] of seen) assert(Math.abs(count - 150) < 45, `${order}: ${count}`)
})

Deno.test("a task without rows in a step changes nothing", () => {
  const none = new Map([["w", ops.full(0, [2])]])
  const own = new Map([["w", ops.constant(Float32Array.of(3, -1), [2])]])
  const context = {
    step: ops.full(1, [], "i32"),
    key: keyOf(1),
    weights: new Map(),
    shared: new Set(["w"]),
    measures: new Map(),
  }
  const [found] = pcgrad.update(new Map([["a", none], ["b", own]]), {}, context)
  assertEquals([...evaluate(found.get("a")!.get("w")!)], [0, 0])
  assertEquals([...evaluate(found.get("b")!.get("w")!)], [3, -1])
})

Deno.test("losses by factor and by uncertainty", () => {
  const info = { head: { kind: "sequence", size: 1 }, fields: {} } as const
  const tasks = { kind: { kind: "classification", ...info }, size: { kind: "regression", ...info } }
  const losses = [1.5, 2, 7], weights = [1, 3, 0], s = { kind: 0.3, size: -0.7 }
  const scored = (objective: NonNullable<ReturnType<typeof byFactor>>, task: "kind" | "size") => {
    const next = () => ({
      loss: ops.constant(Float32Array.from(losses), [3]),
      weight: ops.constant(Float32Array.from(weights), [3]),
    })
    const context = {
      batch: { task },
      parameter: (name: string) => ops.full(s[name.replace("logVariance.", "") as typeof task], []),
    } as unknown as ObjectiveContext
    const { loss, weight } = objective.wrap(next)(context)
    assertEquals([...evaluate(weight)], weights)
    return evaluate(loss)
  }
  assertEquals([...scored(byFactor({ kind: 4 })!, "kind")], losses.map((loss) => 4 * loss))
  assertEquals([...scored(byFactor({ kind: 4 })!, "size")], losses)
  const learned = byUncertainty("multitask/default", tasks)!
  assertEquals(Object.keys(learned.parameters!), ["logVariance.kind", "logVariance.size"])
  const expected = (own: number, scale: number) =>
    losses.map((loss, i) => scale * Math.exp(-own) * loss + own / 2 * weights[i])
  assert(distance(scored(learned, "kind"), expected(s.kind, 1)) < 1e-7)
  assert(distance(scored(learned, "size"), expected(s.size, 0.5)) < 1e-7)
})
