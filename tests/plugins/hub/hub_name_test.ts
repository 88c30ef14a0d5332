import { assertEquals, assertThrows } from "@std/assert"
import { HubError } from "../../../plugins/hub/hub_error.ts"
import { hubNameText, isHubName, parseHubName } from "../../../plugins/hub/hub_name.ts"

Deno.test("names of repositories, revisions and files are read, and written as short as they can be", () => {
  const cases: ReadonlyArray<readonly [string, string, string, string]> = [
    ["hf:o/n", "o/n", "main", ""],
    ["hf:o/n/", "o/n", "main", ""],
    ["hf:o/n@v1.0", "o/n", "v1.0", ""],
    ["hf:o/n.gguf/model-Q4_1.gguf", "o/n.gguf", "main", "model-Q4_1.gguf"],
    ["hf:o/n@abc/sub/config.json", "o/n", "abc", "sub/config.json"],
    ["hf:o/n@refs/pr/12/config.json", "o/n", "refs/pr/12", "config.json"],
    ["hf:o/n@feature%2Fone/config.json", "o/n", "feature/one", "config.json"],
    ["hf:o/n@feature/one", "o/n", "feature", "one"],
  ]
  for (const [text, repository, revision, path] of cases) {
    const name = parseHubName(text)
    assertEquals(name, { repository, revision, path })
    assertEquals(parseHubName(hubNameText(name)), name)
  }
  assertEquals(hubNameText(parseHubName("hf:o/n@main/a")), "hf:o/n/a")
  assertEquals(hubNameText(parseHubName("hf:o/n@refs/pr/1")), "hf:o/n@refs/pr/1")
  assertEquals(["hf:o/n", "./hf:o/n", "HF:o/n"].map(isHubName), [true, false, false])
})

Deno.test("names that name nothing, or would leave the cache, are refused", () => {
  const wrong = [
    "hf:",
    "hf:gpt2",
    "hf:o/",
    "hf:/n",
    "hf:../n",
    "hf:o/..",
    "hf:o/n--m",
    "hf:o/a..b",
    "hf:-o/n",
    `hf:o/${"n".repeat(97)}`,
    "hf:o/n@",
    "hf:o/n@..",
    "hf:o/n@..%2F..%2Fx",
    "hf:o/n@%2Fetc",
    "hf:o/n@a b",
    "hf:o/n@%E0",
    "hf:o/n@refs/pr/..",
    "hf:o/n/../m",
    "hf:o/n/a/./b",
    "hf:o/n/a\\..\\b",
    "hf:o/n/C:x",
    "hf:o/n/a\u0000b",
    "hf:o/n\n/x",
  ]
  for (const text of wrong) {
    assertEquals(assertThrows(() => parseHubName(text), HubError).reason, "Name", text)
  }
})
