/**
 * `deno task new-project`: the packed module as people install it. In an empty folder, a Node project installs it by npm and
 * a Deno project links it; each type-checks the README's first example and that of `@espalier/espalier/promise`, strictly,
 * and runs both. Ends with the line "N passed, N failed".
 * @module
 */
import { fileURLToPath } from "node:url"
import { blocksOf, moduleComment } from "../support/page.ts"
import { packForNpm } from "../tasks/npm.ts"

/** Packages of a Node project beside the module: the compiler, and what its types refer to. */
const TOOLS = ["typescript@5.9.3", "@types/node@24.10.1"]
/** Major versions of Node that the module is for, beside that of this machine. */
const NODES = [20, 22, 24]

const repository = new URL("../../", import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, repository))
const read = (relative: string) => Deno.readTextFileSync(path(relative))
const { imports } = JSON.parse(read("deno.json"))
const scratch = await Deno.makeTempDir({ prefix: "espalier-new-project-" })
const [node, deno] = ["node", "deno"].map((name) => `${scratch}/${name}`)

/** The programs by the name of their file. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "readme.ts": blocksOf(read("README.md"))[0],
  "promise.ts": blocksOf(moduleComment("plugins/promise/mod.ts"))[0],
}
/** What the programs read, at the same places. */
const READ = ["examples/models/espalier-1m", "examples/data/sms_spam.tsv"]

/** Runs a command to its end and gives what it printed; an error with that when it fails. */
async function command(program: string, args: ReadonlyArray<string>, cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    stdin: "null",
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
  }).output()
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)
  if (!success) throw new Error(text.trim())
  return text
}

async function pack(): Promise<string> {
  await packForNpm(`${scratch}/espalier.tgz`)
  for (const folder of [node, deno]) {
    await Deno.mkdir(`${folder}/examples/data`, { recursive: true })
    await Deno.mkdir(`${folder}/examples/models`)
    for (const file of READ) await Deno.symlink(path(file), `${folder}/${file}`)
    for (const [name, text] of Object.entries(PROGRAMS)) await Deno.writeTextFile(`${folder}/${name}`, text)
  }
  return `${Math.round((await Deno.stat(`${scratch}/espalier.tgz`)).size / 1000)} kB`
}

async function installInNode(): Promise<string> {
  await Deno.writeTextFile(`${node}/package.json`, `{ "private": true, "type": "module" }`)
  const effect = imports.effect.replace(/^npm:/, "")
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts"]
  await command("npm", ["install", ...quiet, `${scratch}/espalier.tgz`, effect, ...TOOLS], node)
  return `${scratch}/espalier.tgz, ${effect}`.replace(`${scratch}/`, "")
}

async function compileInNode(): Promise<string> {
  const settings = {
    strict: true,
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "dom"],
    types: ["node"],
    outDir: "out",
  }
  const files = Object.keys(PROGRAMS)
  await Deno.writeTextFile(`${node}/tsconfig.json`, JSON.stringify({ compilerOptions: settings, files }))
  await command("npx", ["tsc"], node)
  return `${TOOLS[0]}, strict`
}

/** Checks that a program trained and says so. */
function demand(holds: boolean, text: string): void {
  if (!holds) throw new Error(`the program did not do what it should:\n${text}`)
}

/** Runs both programs in a project; `fileOf` gives the file of one. */
async function run(
  program: string,
  args: ReadonlyArray<string>,
  folder: string,
  fileOf: (name: string) => string,
): Promise<string> {
  await Deno.remove(`${folder}/runs`, { recursive: true }).catch(() => {})
  const readme = await command(program, [...args, fileOf("readme")], folder)
  demand(/accuracy: 0\.\d+/.test(readme), readme)
  await Deno.stat(`${folder}/runs/readme-adapter/adapter_model.safetensors`)
  const promise = await command(program, [...args, fileOf("promise")], folder)
  demand(/step 20 of 20: loss /.test(promise) && /label: "?'?(?:ham|spam)/.test(promise), promise)
  await Deno.stat(`${folder}/runs/promise/report.html`)
  return `README: ${/accuracy: 0\.\d+/.exec(readme)![0]}; promises: ${/step 20 of 20: .*/.exec(promise)![0]}`
}

async function runInNode(version?: number): Promise<string> {
  const [program, ...args] = version === undefined ? ["node"] : ["npx", "-y", `node@${version}`]
  const told = await command(program, [...args, "--version"], node)
  return `${told.trim()}: ${await run(program, args, node, (name) => `out/${name}.js`)}`
}

async function linkInDeno(): Promise<string> {
  await command("tar", ["xzf", "espalier.tgz"], scratch)
  await Deno.writeTextFile(
    `${deno}/deno.json`,
    JSON.stringify({
      nodeModulesDir: "auto",
      links: ["../package"],
      imports: { "@espalier/espalier": "npm:@espalier/espalier@^0.1.0", "effect": imports.effect },
      compilerOptions: { strict: true },
    }),
  )
  await command(Deno.execPath(), ["check", ...Object.keys(PROGRAMS)], deno)
  return "linked and type-checked"
}

const runInDeno = () =>
  run(Deno.execPath(), ["run", "--allow-read", "--allow-write=runs", "--allow-env"], deno, (name) => `${name}.ts`)

const steps: ReadonlyArray<readonly [name: string, run: () => Promise<string>]> = [
  ["pack", pack],
  ["Node: install", installInNode],
  ["Node: types", compileInNode],
  ["Node: run", () => runInNode()],
  ...NODES.map((version) => [`Node ${version}: run`, () => runInNode(version)] as const),
  ["Deno: link and types", linkInDeno],
  ["Deno: run", runInDeno],
]
const counts = { passed: 0, failed: 0 }
try {
  for (const [name, run] of steps) {
    try {
      console.log(`${name} ... ok: ${await run()}`)
      counts.passed++
    } catch (error) {
      counts.failed++
      console.log(`${name} ... FAILED: ${error instanceof Error ? error.message : error}`)
    }
  }
} finally {
  await Deno.remove(scratch, { recursive: true })
}
console.log(`\n${counts.passed} passed, ${counts.failed} failed`)
Deno.exit(counts.failed === 0 ? 0 : 1)
