import { assertEquals } from "@std/assert"
import { Dependencies } from "../../../core/graph/_dependencies.ts"
import { makeRng } from "../../../core/tensor/random.ts"

Deno.test("what rests on what, and by way of something else, is what a walk over all says", () => {
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
      assertEquals(order.rests(a, b), walk([a]).has(b))
      assertEquals([order.restsBetween(a, b), order.restsBetween(b, a)], [between([a, b]), between([b, a])])
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
