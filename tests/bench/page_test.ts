import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { type Benchmarks, filled, textOf } from "./page.ts"

const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url))
const benchmarks: Benchmarks = JSON.parse(read("docs/benchmarks.json"))

Deno.test("docs/benchmarks.json is as the bench writes it", () => {
  assertEquals(read("docs/benchmarks.json"), textOf(benchmarks))
})

for (const page of ["README.md", "docs/benchmarks.md"]) {
  Deno.test(`the tables of ${page} are those of docs/benchmarks.json`, () => {
    assertEquals(read(page), filled(read(page), benchmarks))
  })
}

Deno.test("docs/benchmarks.md has every suite that was measured, README.md the ten results", () => {
  const tables = (page: string) => Array.from(read(page).matchAll(/<!-- bench (\S+) -->/g), ([, name]) => name)
  assertEquals(tables("docs/benchmarks.md").toSorted(), Object.keys(benchmarks.runs).toSorted())
  assertEquals(tables("README.md"), ["ten"])
})

Deno.test("a table has one row a case and one column a peer", () => {
  const row = { suite: "s", name: "a", backend: "wasm", unit: "tokens/s", ours: 999.7, ratio: 0.81 }
  const results = [{ ...row, peer: 1234.5, peerName: "p" }, { ...row, peer: 2000, peerName: "q" }, {
    ...row,
    name: "b",
    peer: 3,
    peerName: "q",
  }]
  const made = (page: string) => filled(page, { runs: { s: "a machine" }, results })
  const page = made("<!-- bench s -->\n\nold\n\n<!-- end -->\n")
  const between = "\n\nby hand\n\n"
  for (const empty of ["\n", "\n\n", "\n\n\n\n"]) {
    const markers = `<!-- bench s -->${empty}<!-- end -->`
    assertEquals(made(`${markers}${between}${markers}\n`), `${page.trim()}${between}${page}`)
  }
  assertStringIncludes(page, "a machine\n\n| case | backend | unit     | Espalier |            p |            q |\n")
  assertStringIncludes(page, "| a    | wasm    | tokens/s |    1,000 | 1,235 (0.81) | 2,000 (0.81) |\n")
  assertStringIncludes(page, "| b    | wasm    | tokens/s |    1,000 |              |  3.00 (0.81) |\n")
  assert(!page.includes("old"))
  assertThrows(() => filled("<!-- bench other -->\n\n\n\n<!-- end -->", { runs: {}, results }), Error, `suite "other"`)
})

Deno.test("README.md has at most 8 KB", () => assert(new TextEncoder().encode(read("README.md")).length <= 8192))
