import { assert, assertEquals } from "@std/assert"
import { blocksOf, moduleComment, programOf } from "./support/page.ts"
import { importsOf } from "./tasks/source_imports.ts"

const repository = new URL("../", import.meta.url)
const read = (path: string) => Deno.readTextFileSync(new URL(path, repository))

const entryPoints: Record<string, string> = JSON.parse(read("deno.json")).exports
const docs = Array.from(Deno.readDirSync(new URL("docs/", repository)), ({ name }) => `docs/${name}`)
  .filter((path) => path.endsWith(".md")).toSorted()
const examples: ReadonlyArray<readonly [name: string, programs: ReadonlyArray<string>]> = [
  ["README.md", blocksOf(read("README.md"))],
  ...Object.values(entryPoints).map((path) => [path, blocksOf(moduleComment(path))] as const),
  ...docs.filter((path) => path.startsWith("docs/add_a_")).map((path) => [path, [programOf(path)]] as const),
]

/** Whole programs of the other pages, which start from models and services that are not here; not lines of an effect. */
const shown = docs.filter((path) => !path.startsWith("docs/add_a_"))
  .flatMap((path) =>
    blocksOf(read(path)).filter((block) => block.startsWith("import ") && !/^\S.*yield ?\*/m.test(block))
  )

const deno = (args: ReadonlyArray<string>, stdin: "piped" | "null") =>
  new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: repository,
    env: { NO_COLOR: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn()
const assertSuccess = async (child: Deno.ChildProcess) => {
  const { success, stderr } = await child.output()
  assert(success, new TextDecoder().decode(stderr))
}

Deno.test("the examples import public entry points, Effect by path, and what Node has", () => {
  const known = Object.keys(entryPoints).map((name) => `@espalier/espalier${name.slice(1)}`)
  const imports = examples.flatMap(([name, programs]) =>
    programs.flatMap((program) => importsOf(name, program).map(({ specifier }) => specifier))
  )
  assert(imports.length > 20, "hardly any import was found")
  assertEquals(
    imports.filter((name) => !known.includes(name) && !/^(effect\/|node:)/.test(name)),
    [],
  )
})

Deno.test("the examples have no type errors", async () => {
  const folder = await Deno.makeTempDir()
  try {
    assert(shown.length > 10, `${shown.length} programs of pages were found`)
    const files = [...examples.flatMap(([, programs]) => programs), ...shown].map((program, i) => {
      Deno.writeTextFileSync(`${folder}/${i}.ts`, program)
      return `${folder}/${i}.ts`
    })
    await assertSuccess(deno(["check", "--config", "deno.json", ...files], "null"))
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
})

for (const [name, programs] of examples) {
  Deno.test(`the example of ${name} runs`, async () => {
    assert(programs.length > 0 && programs[0] !== "", "there is none")
    for (const program of programs) {
      // From the repository's root, with the permissions that its examples have.
      const child = deno(["run", "-P", "--no-check", "--ext=ts", "-"], "piped")
      const writer = child.stdin.getWriter()
      await writer.write(new TextEncoder().encode(program))
      await writer.close()
      await assertSuccess(child)
    }
  })
}

const pages = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "FEATURES.md", "examples/third_party/README.md"],
  ...docs,
]
for (const page of pages) {
  Deno.test(`the links of ${page} lead somewhere`, () => {
    const url = new URL(page, repository)
    for (const [, target] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      const { protocol, hash, href } = new URL(target, url)
      if (protocol !== "file:") continue
      const text = Deno.readTextFileSync(new URL(href.slice(0, href.length - hash.length)))
      const anchors = Array.from(
        text.matchAll(/^#+ (.*)$/gm),
        ([, title]) => `#${title.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-")}`,
      )
      assert(hash === "" || anchors.includes(hash), `${target}: no heading there`)
    }
  })
}
