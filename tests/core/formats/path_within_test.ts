import { assertEquals } from "@std/assert"
import { isWithin } from "../../../core/formats/files/path_within.ts"

Deno.test("a path lies in a directory, however both are written", () => {
  const cases: ReadonlyArray<readonly [string, string, boolean]> = [
    ["a", "a/", true],
    ["./a/b", "a", true],
    ["a", "a/b", false],
    ["ab", "a", false],
    ["a/../b", "b", true],
    ["/x/a b?#%", "/x/a b?#%", true],
    ["/x/a?b", "/x/a", false],
    ["a", ".", true],
  ]
  for (const [path, directory, wanted] of cases) assertEquals(isWithin(path, directory), wanted, `${path} ${directory}`)
})
