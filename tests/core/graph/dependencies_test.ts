import { assertEquals } from "@std/assert"
import { Dependencies } from "../../../core/graph/fuse/dependencies.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"

Deno.test("dependencies, direct and through something else, agree with a walk over all", () => {
  for (let seed = 0; seed < 60; seed++) {
    const rng = makeRng(seed, 5)
    const order = new Dependencies<number>()
    const needs = new Map<number, Set<number>>()
    const walk = (starts: Iterable<number>): Set<number> => {
      const seen = new Set(starts)
      for (const each of seen) for (const next of needs.get(each)!) seen.add(next)
      return seen
    }
    for (let step = 0; step < 120; step++) {
      const things = [...needs.keys()]
      const [a, b] = [rng.int(things.length + 1), rng.int(things.length + 1)].map((i) => things[i] ?? step)
      for (const thing of [a, b]) {
        if (needs.has(thing)) continue
        needs.set(thing, new Set())
        order.add(thing)
      }
      const between = ([from, to]: ReadonlyArray<number>) => walk([...needs.get(from)!].filter((x) => x !== to)).has(to)
      assertEquals(order.dependsOn(a, b), walk([a]).has(b))
      assertEquals([order.dependsThrough(a, b), order.dependsThrough(b, a)], [between([a, b]), between([b, a])])
      if (a === b) continue
      if (rng.int(4) > 0) {
        if (walk([b]).has(a)) continue
        order.need(a, b)
        needs.get(a)!.add(b)
      } else if (!between([a, b]) && !between([b, a])) {
        order.merge(a, b)
        for (const need of needs.get(b)!) needs.get(a)!.add(need)
        needs.delete(b)
        for (const own of needs.values()) if (own.delete(b)) own.add(a)
        needs.get(a)!.delete(a)
      }
      for (const [thing, own] of needs) assertEquals(new Set(order.needsOf(thing)), own)
    }
  }
})

Deno.test("a deep chain there and back, as derivatives make it: far questions have answers, and soon", () => {
  const depth = 5_000
  const order = new Dependencies<number>()
  // Numbers from 0 are the way there, from `depth` on the way back, beside each of which a dead end lies.
  const link = (thing: number, ...needs: ReadonlyArray<number>) => {
    order.add(thing)
    for (const need of needs) order.need(thing, need)
  }
  for (let i = 0; i < depth; i++) link(i, ...(i > 0 ? [i - 1] : []))
  for (let i = 0; i < depth; i++) {
    const back = depth + i, there = depth - 1 - i
    assertEquals(order.dependsOn(i === 0 ? depth - 1 : back - 1, there), true)
    link(back, i === 0 ? depth - 1 : back - 1, there)
    assertEquals([order.dependsThrough(back, there), order.dependsOn(there, back)], [i > 0, false])
    link(2 * depth + i, back)
    assertEquals(order.dependsOn(back, 2 * depth + i), false)
    // Two dead ends of one place become one: neither depends on the other.
    link(3 * depth + i, back)
    assertEquals([order.dependsOn(2 * depth + i, 3 * depth + i), order.dependsThrough(3 * depth + i, there)], [
      false,
      true,
    ])
    order.merge(2 * depth + i, 3 * depth + i)
    assertEquals(order.dependsOn(2 * depth + i, 0), true)
  }
})
