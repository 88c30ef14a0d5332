import { assert } from "@std/assert"

const repository = new URL("../", import.meta.url)
const read = (path: string) => Deno.readTextFileSync(new URL(path, repository))

/** The first comment of a file: that of the module. */
const moduleComment = (path: string) =>
  (/^\/\*\*\n([\s\S]*?) \*\//.exec(read(path))?.[1] ?? "").replaceAll(/^ \* ?/gm, "")

const programs = (text: string) => [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, program]) => program)

const entryPoints: Record<string, string> = JSON.parse(read("deno.json")).exports
const texts = [
  ["README.md", read("README.md")],
  ...Object.values(entryPoints).map((path) => [path, moduleComment(path)]),
]

for (const [name, text] of texts) {
  Deno.test(`the example of ${name} runs`, async () => {
    const found = programs(text)
    assert(found.length > 0, "there is none")
    for (const program of found) {
      // From the repository's root, with the permissions that its examples have.
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-P", "--check", "--ext=ts", "-"],
        cwd: repository,
        env: { NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn()
      const writer = child.stdin.getWriter()
      await writer.write(new TextEncoder().encode(program))
      await writer.close()
      const { success, stderr } = await child.output()
      assert(success, new TextDecoder().decode(stderr))
    }
  })
}

const pages = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "FEATURES.md", "examples/third_party/README.md"],
  ...Array.from(Deno.readDirSync(new URL("docs/", repository)), ({ name }) => `docs/${name}`).filter((path) =>
    path.endsWith(".md")
  ).toSorted(),
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
