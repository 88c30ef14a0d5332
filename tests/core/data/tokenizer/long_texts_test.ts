import { assert, assertEquals } from "@std/assert"
import process from "node:process"
import { readPipeline } from "../../../../core/data/tokenizer/pipeline.ts"

const SIZE = 300_000
/** What a quadratic way would need minutes for. */
const MOST_SECONDS = 10

const mask = { id: 4, content: "<mask>", single_word: false, rstrip: false, normalized: false, special: true }
const file = (parts: Readonly<Record<string, unknown>>) => ({
  version: "1.0",
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  ...parts,
})
const spaces = (...counts: ReadonlyArray<number>) => counts.map((count) => " ".repeat(count))
const bpe = (tokens: ReadonlyArray<string>, merges: ReadonlyArray<ReadonlyArray<string>> = []) => ({
  type: "BPE",
  vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
  merges,
})
const two = spaces(2, 2)

/** Ids of a text, in seconds of the CPU that cannot come of looking at each piece of it again for each other. */
function idsOf(json: unknown, text: string): ReadonlyArray<number> {
  const pipeline = readPipeline(json, "tokenizer.json", [])
  pipeline.prepare(false)
  const since = process.cpuUsage()
  const ids = pipeline.encode(text)
  const { user, system } = process.cpuUsage(since)
  const seconds = (user + system) / 1e6
  assert(seconds < MOST_SECONDS, `${seconds} s`)
  return ids
}

const counted = (ids: ReadonlyArray<number>): Readonly<Record<number, number>> => {
  const counts: Record<number, number> = {}
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1
  return counts
}

Deno.test("one word of many symbols, whatever the order of its merges", () => {
  const tokens = [...spaces(1, 2, 4, 8), "a"]
  const [single, four] = [spaces(1, 1), spaces(4, 4)]
  const text = `a${" ".repeat(8 * SIZE / 8 + 7)}a`
  for (const merges of [[single, two, four], [two, single, four], [four, two, single]]) {
    assertEquals(counted(idsOf(file({ model: bpe(tokens, merges) }), text)), { 0: 1, 1: 1, 2: 1, 3: SIZE / 8, 4: 2 })
  }
  // The first of equal pairs goes first, and a pair that a merge makes goes before those of higher ranks, wherever they are.
  const short = bpe(["a", "b", "aa", "ab", "aab"], [["aa", "b"], ["a", "a"], ["a", "b"]])
  const cut = idsOf(file({ model: short }), "aaab".repeat(10))
  assertEquals(cut, Array.from({ length: 10 }, () => [2, 3]).flat())
})

Deno.test("white space in front of tokens that take it, and within a text whose ends are stripped", () => {
  const model = bpe([" ", "a", "b", "<", "<mask>"])
  const taken = file({ model, added_tokens: [{ ...mask, lstrip: true }] })
  assertEquals(counted(idsOf(taken, " <mask>".repeat(SIZE))), { 4: SIZE })
  const normalized = file({ model, added_tokens: [{ ...mask, lstrip: true, normalized: true }] })
  assertEquals(counted(idsOf(normalized, "a <mask>".repeat(SIZE))), { 1: SIZE, 4: SIZE })
  assertEquals(counted(idsOf(taken, `a${" ".repeat(SIZE)}b<mask>`)), { 0: SIZE, 1: 1, 2: 1, 4: 1 })
  const after = file({ model, added_tokens: [{ ...mask, lstrip: false, rstrip: true }] })
  assertEquals(counted(idsOf(after, `<mask>${" ".repeat(SIZE)}<mask> a`)), { 4: 2, 1: 1 })
  const stripped = file({ model, normalizer: { type: "Strip", strip_left: true, strip_right: true } })
  assertEquals(counted(idsOf(stripped, `\u2003\u0085 a${" ".repeat(SIZE)}b \u3000\n`)), { 0: SIZE, 1: 1, 2: 1 })
  assertEquals(idsOf(stripped, " \u2003\n"), [])
})
