import { assert, assertEquals } from "@std/assert"
import { publishedRoots, sourceFiles } from "./tasks/source_imports.ts"

/** What Deno has and Node 20 has not: helpers of iterators, methods of sets, and newer statics. */
const newer = [
  /\.(?:keys|values|entries)\(\)\.(?:map|filter|some|every|find|flatMap|forEach|reduce|toArray|take|drop)\(/,
  /\.matchAll\([^)]*\)\.(?:map|filter|some|every|find|flatMap|forEach|reduce|toArray)\(/,
  /\bIterator\.from\(|\b(?:Map|Object)\.groupBy\(|\bArray\.fromAsync\(|\bPromise\.(?:try|withResolvers)\(/,
  /\.(?:union|intersection|difference|isSubsetOf|isSupersetOf|isDisjointFrom)\(/,
  /\bRegExp\.escape\(|\bFloat16Array\b|\.(?:toBase64|toHex)\(|\b(?:fromBase64|fromHex)\(/,
]

Deno.test("the published sources use nothing that Node 20 does not have", () => {
  const lines = [...sourceFiles(new URL("../", import.meta.url), publishedRoots)].flatMap(({ file, text }) =>
    text.split("\n").map((line, i) => ({ at: `${file}:${i + 1}`, line })).filter(({ line }) =>
      !/^\s*(?:\/?\*|\/\/)/.test(line)
    )
  )
  assert(lines.length > 10_000, "hardly any line was found")
  assertEquals(lines.filter(({ line }) => newer.some((pattern) => pattern.test(line))).map(({ at }) => at), [])
})
