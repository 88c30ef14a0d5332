/**
 * `deno task check`: everything that can be said about the sources without running them. Ends with a line in the
 * spelling of `deno test`, and with status 1 when a step failed.
 * @module
 */
import { allImports, circles, folders, functions, lineCount } from "./house.ts"
import { importsOf, publishedRoots, sourceFiles } from "./source_imports.ts"

const repository = new URL("../../", import.meta.url)
const config = JSON.parse(Deno.readTextFileSync(new URL("deno.json", repository)))

/** Runs `deno` with these words and gives all that it printed; an error when it fails. */
async function deno(...words: ReadonlyArray<string>): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...words],
    cwd: repository,
    env: { NO_COLOR: "1" },
  }).output()
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)
  if (!success) throw new Error(text.trimEnd())
  return text
}

// `deno doc --lint` takes every npm type for a private one, so the packages are made opaque; what it then reports is ours.
async function lintDocumentation(): Promise<void> {
  const packages = [...sourceFiles(repository, publishedRoots)]
    .flatMap(({ file, text }) => importsOf(file, text))
    .filter(({ target, specifier }) => target === undefined && !specifier.startsWith("node:"))
    .map(({ specifier }) => [specifier, "node:fs"])
  const importMap = await Deno.makeTempFile({ suffix: ".json" })
  try {
    await Deno.writeTextFile(importMap, JSON.stringify({ imports: Object.fromEntries(packages) }))
    await deno("doc", "--lint", "--import-map", importMap, ...Object.values<string>(config.exports))
  } finally {
    await Deno.remove(importMap)
  }
}

async function tryPublishing(): Promise<void> {
  const report = await deno("publish", "--dry-run", "--allow-dirty")
  const files = [...report.matchAll(/file:\/\/\S+/g)].map(([url]) => url.slice(repository.href.length))
  const stray = files.filter((file) => /^(tests|examples|\.)/.test(file))
  if (stray.length > 0) throw new Error(`These would be published, see "publish" in deno.json: ${stray.join(", ")}`)
  if (!files.includes("mod.ts")) throw new Error(`The dry run does not list mod.ts:\n${report}`)
}

async function checkLock(): Promise<void> {
  const lock = await Deno.readTextFile(new URL("deno.lock", repository))
  if (lock.includes(`"tarball"`)) {
    throw new Error("deno.lock names a private registry: write it anew with the default one")
  }
}

/** Most of each that the house may have. Lines rise with what is new; the others never do. */
const limits = { lines: 95_000, functionLines: 120, circles: 0, filesInFolder: 12 }

/** Figures of the house; an error where one is above its limit. */
function measureHouse(): Promise<string> {
  const files = [...sourceFiles(repository, ["core", "kernels", "plugins"])]
  const lines = lineCount(files)
  const [longest] = files.flatMap(functions).sort((a, b) => b.lines - a.lines)
  const groups = circles(allImports(files))
  const [[folder, filesInFolder]] = folders(files)
  const text = `${lines} lines in ${files.length} files; the longest function has ${longest.lines} ` +
    `(${longest.file}:${longest.line}); ${groups.length} circles of files (${
      groups.map((group) => group.join(", ")).join("; ")
    }); ` +
    `the fullest folder has ${filesInFolder} files (${folder})`
  const measured = { lines, functionLines: longest.lines, circles: groups.length, filesInFolder }
  const above = Object.entries(limits).filter(([name, limit]) => measured[name as keyof typeof limits] > limit)
  if (above.length > 0) {
    return Promise.reject(
      new Error(`${text}\nAbove the limit: ${above.map(([name, limit]) => `${name} ${limit}`).join(", ")}`),
    )
  }
  return Promise.resolve(text)
}

const steps: ReadonlyArray<readonly [name: string, run: () => Promise<unknown>, tells?: boolean]> = [
  ["house", measureHouse, true],
  ["format", () => deno("fmt", "--check")],
  ["lint", () => deno("lint")],
  ["types", () => deno("check", "--quiet", ".")],
  ["documentation", lintDocumentation],
  ["publish", tryPublishing],
  ["lock file", checkLock],
  ["import direction", () => deno("test", "--allow-read", "tests/import_direction_test.ts")],
]

let failed = 0
for (const [name, run, tells = false] of steps) {
  try {
    const result = await run()
    console.log(`${name} ... ok${tells ? `: ${result}` : ""}`)
  } catch (error) {
    failed++
    console.log(`${name} ... FAILED\n${error instanceof Error ? error.message : error}\n`)
  }
}
console.log(`\n${failed === 0 ? "ok" : "FAILED"} | ${steps.length - failed} passed | ${failed} failed`)
Deno.exit(failed === 0 ? 0 : 1)
