import { assert, assertEquals } from "@std/assert"
import { importsOf, sourceFiles } from "../tasks/source_imports.ts"

const repository = new URL("../../", import.meta.url)
const folder = "examples/third_party"
const files = [...sourceFiles(repository, [folder])]
const exported = Object.keys(JSON.parse(Deno.readTextFileSync(new URL("deno.json", repository))).exports)
  .map((name) => `@espalier/espalier${name.slice(1)}`)

Deno.test("the third party imports public entry points, Effect by path, and its own files", () => {
  const imports = files.flatMap(({ file, text }) => importsOf(file, text))
  assert(imports.length > 20, "hardly any import was found")
  const wrong = imports.filter(({ specifier, target }) =>
    target === undefined
      ? !exported.includes(specifier) && !specifier.startsWith("effect/") && !specifier.startsWith("node:")
      : !target.startsWith(`${folder}/`)
  )
  assertEquals(wrong, [])
})

Deno.test("the code in the guide stands in the files that are tested, and its links lead somewhere", () => {
  const guide = Deno.readTextFileSync(new URL(`${folder}/README.md`, repository))
  const snippets = [...guide.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code)
  assert(snippets.length >= 8)
  // `deno fmt` moves code in Markdown to the left.
  const flat = (code: string) => code.replaceAll(/^ +/gm, "")
  for (const code of snippets) assert(files.some(({ text }) => flat(text).includes(flat(code))), code)
  for (const [, target] of guide.matchAll(/\]\(([^)]+)\)/g)) Deno.statSync(new URL(`${folder}/${target}`, repository))
})
