import { assert, assertEquals } from "@std/assert"
import { type Lifetime, planMemory } from "../../../core/backend/memory_plan.ts"

Deno.test("planMemory: blocks that live together never overlap, others share", () => {
  let state = 7
  const random = (limit: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % limit
  for (let round = 0; round < 50; round++) {
    const blocks = Array.from({ length: 60 }, (): Lifetime => {
      const first = random(40)
      return { bytes: random(5) === 0 ? 0 : random(4000), first, last: first + random(8) }
    })
    const { offsets, bytes } = planMemory(blocks, 64)
    blocks.forEach((a, i) => {
      assert(offsets[i] % 64 === 0 && offsets[i] + a.bytes <= bytes, `block ${i} lies outside`)
      blocks.slice(0, i).forEach((b, j) => {
        const together = a.first <= b.last && b.first <= a.last
        const apart = offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i]
        assert(!together || apart || a.bytes === 0 || b.bytes === 0, `blocks ${i} and ${j} overlap`)
      })
    })
  }
})

Deno.test("planMemory: a chain takes the room of two links", () => {
  const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 1000, first: i, last: i + 1 }))
  assertEquals(planMemory(chain, 256).bytes, 2048)
  assertEquals(planMemory([], 64).bytes, 0)
})
