/**
 * `deno task docs`: the documentation as a site, in `dist/site`. Guides are the pages of `docs`, set by VitePress; each
 * method has a page from its module comment and its table of options; the API is that of `deno doc --html`. Fails where a
 * link leads nowhere. Ends with the line "N passed, N failed".
 * @module
 */
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { command } from "../command.ts"
import { brokenLinks } from "./links.ts"
import { methodPages } from "./method_pages.ts"
import { FILES, type Page, sitePage } from "./pages.ts"

/** The generator; installed into the working folder of the build, as it is no part of the package. */
const VITEPRESS = "vitepress@1.6.4"

const repository = fileURLToPath(new URL("../../../", import.meta.url))
const work = `${repository}dist/site-work`
const dist = `${repository}dist/site`
const config = JSON.parse(await Deno.readTextFile(`${repository}deno.json`))
const read = (path: string) => Deno.readTextFileSync(`${repository}${path}`)

/** Guides in the order of the side bar. */
const GUIDES: ReadonlyArray<readonly [heading: string, pages: ReadonlyArray<string>]> = [
  ["Start", ["README.md", "docs/running.md", "docs/promise.md"]],
  ["Use", ["docs/data.md", "docs/models.md", "docs/methods.md", "docs/training.md", "docs/serve.md"]],
  [
    "Extend",
    [...Deno.readDirSync(`${repository}docs`)].map(({ name }) => `docs/${name}`).filter((path) =>
      path.startsWith("docs/add_a_")
    ).sort(),
  ],
]
/** What the last part of the side bar has beside the other pages of `docs`. */
const ROOT = [
  "FEATURES.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "examples/third_party/README.md",
  "examples/data/README.md",
]

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true })
  await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content)
}

const titleOf = ({ path, text }: Page): string => /^# (.*)$/m.exec(text)?.[1] ?? path

/** Writes the Markdown of the site, and the files that it links to. */
async function writePages(): Promise<string> {
  const listed = GUIDES.flatMap(([, pages]) => pages)
  const others = [...Deno.readDirSync(`${repository}docs`)].map(({ name }) => `docs/${name}`)
    .filter((path) => path.endsWith(".md") && !listed.includes(path)).sort()
  const sections = [...GUIDES, ["More", [...others, ...ROOT]] as const]
  const pages = new Map(
    sections.flatMap(([, paths]) => paths).map((
      path,
    ) => [path, path === "README.md" ? "index.md" : path.replace(/README\.md$/, "index.md")]),
  )
  const exists = (path: string) => {
    try {
      return Deno.statSync(`${repository}${path}`).isFile
    } catch {
      return false
    }
  }
  const made = new Map([...pages.keys()].map((path) => [path, sitePage(path, read(path), { pages, exists })]))
  const methods = methodPages((entry) => read(config.exports[`./${entry}`]))
  for (const { path, text } of [...made.values(), ...methods]) await write(`${work}/${path}`, text)
  for (const file of new Set([...made.values()].flatMap(({ files }) => files))) {
    await write(`${work}/public/${FILES}/${file}.txt`, await Deno.readFile(`${repository}${file}`))
  }
  const item = (page: Page) => ({ text: titleOf(page), link: `/${page.path.replace(/(index)?\.md$/, "")}` })
  const sidebar = [
    ...sections.map(([text, paths]) => ({ text, items: paths.map((path) => item(made.get(path)!)) })),
    { text: "Methods", items: methods.map(item) },
  ]
  await write(`${work}/.vitepress/config.mjs`, `export default ${JSON.stringify(settings(sidebar), null, 2)}\n`)
  return `${made.size} guides, ${methods.length} methods`
}

/** The settings of VitePress. */
const settings = (sidebar: unknown) => ({
  title: "Espalier",
  description: config.description,
  outDir: dist,
  cleanUrls: false,
  // Links are checked in the built site, those to the API too.
  ignoreDeadLinks: true,
  markdown: { html: false },
  themeConfig: {
    sidebar,
    nav: [{ text: "API", link: "/api/index.html", target: "_self" }],
    outline: [2, 3],
    search: { provider: "local" },
  },
})

async function setGuides(): Promise<string> {
  await write(`${work}/package.json`, `{ "private": true, "type": "module" }`)
  await command("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", VITEPRESS], work)
  await command("npx", ["vitepress", "build", "."], work)
  return VITEPRESS
}

async function makeApi(): Promise<string> {
  const entries = Object.values<string>(config.exports)
  await command(Deno.execPath(), ["doc", "--html", "--name=Espalier", `--output=${dist}/api`, ...entries], repository)
  return `${entries.length} entry points`
}

/** Files of the site; of pages their text. */
function filesOf(folder: string, prefix = ""): ReadonlyArray<readonly [string, string | undefined]> {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const [path, own] = [`${folder}/${name}`, `${prefix}${name}`]
    if (isDirectory) return filesOf(path, `${own}/`)
    return [[own, name.endsWith(".html") ? Deno.readTextFileSync(path) : undefined] as const]
  })
}

/** Of the API's own pages no links are checked: `deno doc` links types that are exported elsewhere to pages that it does not write. */
function checkLinks(): Promise<string> {
  const site = new Map(filesOf(dist))
  const broken = brokenLinks(site, (page) => !page.startsWith("api/"))
  if (broken.length > 0) throw new Error(`${broken.length} links:\n${broken.slice(0, 50).join("\n")}`)
  return Promise.resolve(`${[...site.values()].filter((html) => html !== undefined).length} pages`)
}

for (const folder of [dist, `${work}/public`, `${work}/docs`, `${work}/methods`]) {
  await Deno.remove(folder, { recursive: true }).catch(() => {})
}
const steps: ReadonlyArray<readonly [name: string, run: () => Promise<string>]> = [
  ["pages", writePages],
  ["guides", setGuides],
  ["API", makeApi],
  ["links", checkLinks],
]
let failed = 0
for (const [name, run] of steps) {
  try {
    console.log(`${name} ... ok: ${await run()}`)
  } catch (error) {
    failed++
    console.log(`${name} ... FAILED: ${error instanceof Error ? error.message : error}`)
  }
}
console.log(`\n${steps.length - failed} passed, ${failed} failed`)
Deno.exit(failed === 0 ? 0 : 1)
