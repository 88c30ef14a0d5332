import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import { METHODS } from "../../../plugins/all/mod.ts"
import { brokenLinks } from "./links.ts"
import { methodPages } from "./method_pages.ts"
import { sitePage } from "./pages.ts"

const repository = new URL("../../../", import.meta.url)
const read = (path: string) => Deno.readTextFileSync(new URL(path, repository))
const { exports } = JSON.parse(read("deno.json"))

Deno.test("links of a page lead to pages of the site, or to copies of files; code stays as it is", () => {
  const pages = new Map([["README.md", "index.md"], ["docs/data.md", "docs/data.md"]])
  const exists = (path: string) => path === "examples/run.ts"
  const code = "```md\n[kept](data.md)\n```"
  const text =
    `<!-- run -->\n[a](data.md#files) [b](../README.md) [c](../examples/run.ts) [d](https://a.b) [e](#here)\n${code}`
  assertEquals(sitePage("docs/data.md", text, { pages, exists }), {
    path: "docs/data.md",
    text:
      `[a](/docs/data.md#files) [b](/index.md) [c](/files/examples/run.ts.txt) [d](https://a.b) [e](#here)\n${code}`,
    files: ["examples/run.ts"],
  })
  const { message } = assertThrows(() => sitePage("docs/data.md", "[a](gone.md)", { pages, exists }), Error)
  assertEquals(message, "docs/data.md: the link gone.md leads nowhere")
})

Deno.test("each method has a page with what its module says and all its options", () => {
  const pages = methodPages((entry) => read(exports[`./${entry}`]))
  assertEquals(pages.map(({ path }) => path), Object.keys(METHODS).map((name) => `methods/${name}.md`))
  for (const [i, { options }] of Object.values(METHODS).entries()) {
    const { text } = pages[i]
    assert(/^# .*\n\n[A-Z].{40}/.test(text), text.slice(0, 100))
    assertStringIncludes(text, "```ts\n")
    for (const option of Object.keys(options)) assertStringIncludes(text, `\n| \`${option}\` |`)
  }
})

Deno.test("links of a built site that lead nowhere are found", () => {
  const html =
    `<a href="b.html#x">1</a><a class="k" href="/c/">2</a><a href="#y">3</a><h1 id="y"></h1><a href="b&#x2F;d">4</a>`
  const site = new Map([["a.html", html], ["b.html", `<p id="x">`], ["c/index.html", ""], ["b/d", undefined]])
  assertEquals(brokenLinks(site), [])
  assertEquals(brokenLinks(new Map([["a.html", html], ["b.html", ""]])), [
    "a.html: b.html#x leads to no heading",
    "a.html: /c/ leads to no page",
    "a.html: b&#x2F;d leads to no page",
  ])
  assertEquals(brokenLinks(new Map([["api/a.html", html]]), (page) => !page.startsWith("api/")), [])
})
