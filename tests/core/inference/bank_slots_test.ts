import { assertEquals } from "@std/assert"
import { slotTable } from "../../../core/inference/bank/slots.ts"
import { layoutOf } from "../../../core/inference/bank/layout.ts"

/** A table of three slots, and what was written into it. */
const table = () => {
  const written: Array<readonly [key: string, slot: number]> = []
  const slots = slotTable<string>([3, 2, 1])
  const take = (...keys: ReadonlyArray<string>) => slots.take(keys, (key, slot) => written.push([key, slot]))
  return { ...slots, take, written }
}

Deno.test("what was used longest ago gives way, unless it is in use", () => {
  const { take, release, written } = table()
  const a = take("a")!, b = take("b")!, c = take("c")!
  assertEquals(written, [["a", 1], ["b", 2], ["c", 3]])
  assertEquals(take("d"), undefined)
  release(c)
  release(a)
  // "c" was used after "a", but "a" is used again.
  release(take("a")!)
  assertEquals(take("d")![0].slot, 3)
  release(b)
  assertEquals(take("e")![0].slot, 1)
  assertEquals(written.length, 5)
})

Deno.test("keys get slots together or not at all; one key several times is one slot", () => {
  const { take, release, written } = table()
  const first = take("a", "b", "a")!
  assertEquals(first.map(({ slot }) => slot), [1, 2, 1])
  assertEquals(take("b", "c", "d"), undefined)
  assertEquals(written, [["a", 1], ["b", 2]])
  // "b" is there already, and does not give way to "d".
  release(first)
  const second = take("d", "c", "b")!
  assertEquals(second.map(({ slot }) => slot), [3, 1, 2])
  release(second)
  assertEquals(written.map(([key]) => key), ["a", "b", "d", "c"])
})

Deno.test("a dropped key's slot is free when nothing uses it", () => {
  const { take, release, drop } = table()
  const a = take("a")!
  take("b", "c")
  drop("a")
  assertEquals(take("d"), undefined)
  release(a)
  assertEquals(take("d")![0].slot, 1)
})

Deno.test("parameters share pages up to a size, in order; a larger one has a page for itself", () => {
  const parameter = (name: string, size: number) => ({
    key: name,
    module: "",
    name,
    owner: "m",
    shape: [size],
    initializer: { kind: "zeros" } as const,
  })
  const million = 2 ** 20
  const { widths, places } = layoutOf(
    [parameter("a", million), parameter("b", million), parameter("c", 5 * million), parameter("d", 3)],
    8,
  )
  assertEquals(widths, [2 * million, 5 * million, 3])
  assertEquals([...places.values()].map(({ page, offset }) => [page, offset]), [[0, 0], [0, million], [1, 0], [2, 0]])
})
