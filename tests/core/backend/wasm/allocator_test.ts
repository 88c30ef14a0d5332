import { assert, assertEquals } from "@std/assert"
import { type Block, makeAllocator } from "../../../../core/backend/wasm/allocator.ts"

Deno.test("allocator: blocks never overlap, and all comes back", () => {
  const allocator = makeAllocator(256, 1 << 20, 64)
  const held: Array<Block> = []
  let state = 3
  const random = (limit: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % limit
  for (let turn = 0; turn < 3000; turn++) {
    if (held.length > 0 && random(2) === 0) allocator.free(held.splice(random(held.length), 1)[0])
    else {
      const block = allocator.allocate(random(9000))
      if (block === undefined) continue
      const end = block.address + block.bytes
      assert(block.address % 64 === 0 && block.address >= 256 && end <= 1 << 20)
      assert(held.every((other) => other.address >= end || other.address + other.bytes <= block.address), "overlap")
      held.push(block)
    }
  }
  held.forEach(allocator.free)
  assertEquals(allocator.allocate((1 << 20) - 256)?.address, 256)
  assertEquals(allocator.allocate(1), undefined)
})

Deno.test("allocator: says what was used before", () => {
  const allocator = makeAllocator(0, 1024, 64)
  const first = allocator.allocate(100)!
  assertEquals(first, { address: 0, bytes: 128, reused: false })
  allocator.free(first)
  assertEquals(allocator.allocate(64)!.reused, true)
  // What was given back at the end needs no memory: it may have been given back because there was none.
  assertEquals(allocator.top(), 64)
})
