import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import { contest, type Contestant, median } from "./contest.ts"
import { result, table } from "./result.ts"

const protocol = new URL("./serve.ts", import.meta.url).href
/** A process whose steps take `milliseconds` and have the loss `loss`. */
const contestant = (name: string, milliseconds: number, loss: number): Contestant => ({
  name,
  command: [
    Deno.execPath(),
    "eval",
    "--no-lock",
    `import { serve } from "${protocol}"
     console.log("a greeting")
     await serve(() => new Promise((done) => setTimeout(() => done(${loss}), ${milliseconds})))`,
  ],
})
const broken: Contestant = { name: "broken", command: [Deno.execPath(), "eval", "throw new Error('no such device')"] }

Deno.test("a contest gives medians, and why a contestant is out", async () => {
  const slow = contestant("slow", 30, 0.5), other = contestant("other", 0, 0.6)
  const apart = { ...contestant("apart", 40, 7), apart: true, work: 4 }
  const [own, theirs, wrong, ended, unlike] = await contest([contestant("own", 0, 0.5), slow, other, broken, apart], {
    rounds: 2,
    steps: 2,
  })
  assert(typeof own === "number" && typeof theirs === "number" && theirs > own)
  assert(theirs >= 29)
  assert(typeof unlike === "number" && unlike >= 9 && unlike < theirs)
  assert(wrong instanceof Error && ended instanceof Error)
  assertStringIncludes(wrong.message, `"other" has loss 0.6, "own" 0.5: not the same step`)
  assertStringIncludes(ended.message, "no such device")
})

Deno.test("the first contestant must not fail", async () => {
  await assertRejects(() => contest([broken], { rounds: 1, steps: 1 }), Error, "no such device")
})

Deno.test("medians", () => {
  assertEquals(median([3, 1, 2]), 2)
  assertEquals(median([4, 1, 2, 3]), 2.5)
})

Deno.test("a ratio above 1 means that Espalier is better, whatever the unit", () => {
  const common = { suite: "s", name: "n", backend: "wasm", peerName: "p", ours: 2, peer: 4 }
  assertEquals(result({ ...common, unit: "ms/step" }).ratio, 2)
  assertEquals(result({ ...common, unit: "tokens/s" }).ratio, 0.5)
  const shown = [result({ ...common, unit: "tokens/s", ours: 999.7, peer: 1234.5 })]
  assertStringIncludes(table(shown), "1,000  1,235")
})
