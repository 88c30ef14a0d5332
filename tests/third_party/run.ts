/**
 * `deno task third-party`: the plugins of `examples/third_party` as somebody else's package. The module is packed,
 * unpacked into an empty folder and linked there; types, tests and a short training then know no file of this repository
 * but the model and the data. Ends with the line "N passed, N failed".
 * @module
 */
import { fileURLToPath } from "node:url"

const repository = new URL("../../", import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, repository))
const scratch = await Deno.makeTempDir({ prefix: "espalier-third-party-" })
const own = `${scratch}/plugin`

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

const deno = (...args: ReadonlyArray<string>) => command(Deno.execPath(), args, own)

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true })
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`)
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`)
  }
}

/** As a person has it who develops against a module that is not published: by one line in the config. */
async function setUp(): Promise<string> {
  await copy(path("examples/third_party"), own)
  await command(Deno.execPath(), ["pack", "--allow-dirty", "--output", `${scratch}/espalier.tgz`], path("."))
  await command("tar", ["xzf", "espalier.tgz"], scratch)
  const config = JSON.parse(await Deno.readTextFile(`${own}/deno.json`))
  await Deno.writeTextFile(`${own}/deno.json`, JSON.stringify({ ...config, links: ["../package"] }))
  const found = await deno("eval", `console.log(import.meta.resolve("@espalier/espalier"))`)
  if (!found.includes(`/plugin/node_modules/`)) throw new Error(`The module is taken from elsewhere: ${found}`)
  return "packed and linked"
}

async function test(): Promise<string> {
  const text = await deno("task", "test")
  const [, passed, failed] = /(\d+) passed.* (\d+) failed/.exec(text) ?? []
  if (!(Number(passed) > 0) || failed !== "0") throw new Error(text)
  counts.passed += Number(passed) - 1
  return `${passed} tests`
}

async function train(): Promise<string> {
  const places = ["--model", path("examples/models/espalier-1m"), "--data", path("examples/data/sms_spam.tsv")]
  const text = await deno("task", "train", ...places)
  for (const file of ["adapter_config.json", "lora/adapter_config.json"]) await Deno.stat(`${own}/runs/ia3/${file}`)
  return text.split("\n").find((line) => line.startsWith("loss")) ?? text
}

const counts = { passed: 0, failed: 0 }
const steps: ReadonlyArray<readonly [name: string, run: () => Promise<string>]> = [
  ["pack", setUp],
  ["types", async () => (await deno("task", "check"), "no error")],
  ["tests", test],
  ["training", train],
]
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
