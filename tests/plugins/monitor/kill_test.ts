import { assert, assertEquals } from "@std/assert"
import { inDirectory } from "../../core/formats/support.ts"
import { killedAtRandom } from "../../support/killed.ts"
import { qualityOf } from "./fake_retrain.ts"

/** Whole lines of a file. */
const linesOf = (path: string) => {
  try {
    return Deno.readTextFileSync(path).split("\n").slice(0, -1).map((line) => JSON.parse(line))
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return []
    throw error
  }
}

Deno.test("a server that is killed at random moments loses no row, always serves, and ends its retrain", () =>
  inDirectory(async (folder) => {
    const program = new URL("./fake_server.ts", import.meta.url).pathname
    const monitor = `${folder}/monitor`
    const { printed, kills } = await killedAtRandom(["run", "--allow-all", "--no-check", program, folder], {
      count: 6,
      within: 800,
      from: "first line",
      seed: 3,
      left: (printed) => {
        const told = printed.filter((line) => line.startsWith("row ")).map((line) => Number(line.slice(4)))
        const rows = linesOf(`${monitor}/judged.jsonl`)
        assert(rows.length > Math.max(-1, ...told), `${rows.length} rows are left of those that were told`)
        assertEquals(rows.map(({ text }) => text), rows.map((_, i) => `text ${i}`))
      },
    })
    assert(kills > 0)
    const events = linesOf(`${monitor}/events.jsonl`)
    const types = events.map(({ type }) => type)
    assertEquals(types.filter((type) => type !== "started"), [
      "opened",
      "asked",
      "trained",
      "scored",
      "swapping",
      "swapped",
      "kept",
    ])
    assertEquals(linesOf(`${monitor}/judged.jsonl`).length, 60)
    assertEquals(
      printed.filter((line) => line.startsWith("serves ")).every((line) => /first|retrain-1/.test(line)),
      true,
    )
    assertEquals(qualityOf(events.find(({ type }) => type === "swapping").to.folder), 0.9)
  }))
