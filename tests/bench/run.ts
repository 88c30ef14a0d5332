/**
 * `deno task bench [suite ...] [--rounds N] [--sst2 PATH]`: Espalier beside its peers in the same run. Prints a table and
 * writes bench.json; suites that did not run keep what is there.
 *
 * `deno task bench --markdown` prints the table of bench.json in Markdown.
 * @module
 */
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import { python, versions } from "./peers.ts"
import { markdown, type Result, table } from "./result.ts"
import type { Suite } from "./suite.ts"
import { bundle } from "./suites/bundle.ts"
import { cold } from "./suites/cold.ts"
import { epochReal } from "./suites/epoch_real.ts"
import { gemm } from "./suites/gemm.ts"
import { loraStep } from "./suites/lora_step.ts"
import { memory } from "./suites/memory.ts"
import { methods } from "./suites/methods.ts"
import { stepSmall } from "./suites/step_small.ts"

const suites: ReadonlyArray<Suite> = [gemm, stepSmall, loraStep, epochReal, memory, methods, cold, bundle]
const FILE = "bench.json"

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { rounds: { type: "string", default: "6" }, sst2: { type: "string" }, markdown: { type: "boolean" } },
})
const unknown = positionals.filter((name) => !suites.some((suite) => suite.name === name))
if (unknown.length > 0) {
  throw new Error(`there is no suite "${unknown.join('", "')}"; there are ${suites.map(({ name }) => name).join(", ")}`)
}
const rounds = Number(values.rounds)
if (!(Number.isInteger(rounds) && rounds >= 1)) throw new Error(`--rounds takes a whole number, got "${values.rounds}"`)

/** What all figures depend on. */
const machine = (): string => {
  const processors = cpus()
  return `${
    processors[0].model.trim()
  }, ${processors.length} cores, ${Deno.build.os}; Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`
}
const pythonPeers = async (): Promise<string> => {
  const found = await python().catch((error: Error) => error)
  if (found instanceof Error) return `no peers in Python: ${found.message}`
  const { versions: { torch, transformers, peft }, capability } = found
  return `torch ${torch} (${capability}), transformers ${transformers}, PEFT ${peft}`
}

const earlier: ReadonlyArray<Result> = JSON.parse(await Deno.readTextFile(FILE).catch(() => "[]"))

if (values.markdown) {
  const date = (await Deno.stat(FILE)).mtime?.toISOString().slice(0, 10)
  console.log(`${machine()}; ${date}\n\n${markdown(earlier)}`)
  Deno.exit(0)
}

const chosen = suites.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const [load] = Deno.loadavg()
console.log(`machine: ${machine()}; load ${load.toFixed(2)}`)
console.log(`date: ${new Date().toISOString()}`)
console.log(`peers: jax-js ${versions.jaxJs}, tfjs ${versions.tfjs}; ${await pythonPeers()}`)
console.log(`rounds: ${rounds}${rounds < 5 ? ", too few for a figure to be shown to others" : ""}\n`)

const results: Array<Result> = []
let failed = false
for (const { name, run } of chosen) {
  const own: Array<Result> = []
  const take = (found: Result) => {
    own.push(found)
    console.log(
      `${found.suite}: ${found.name}, ${found.backend}: ratio ${found.ratio.toFixed(2)} to ${found.peerName}`,
    )
  }
  try {
    await run({ rounds, ...(values.sst2 === undefined ? {} : { sst2: values.sst2 }), take, note: console.log })
  } catch (error) {
    failed = true
    console.log(`${name}: broke off: ${(error as Error).message}`)
  }
  results.push(...own)
}
const all = suites.flatMap(({ name }) =>
  (chosen.some((suite) => suite.name === name) ? results : earlier).filter(({ suite }) => suite === name)
)
await Deno.writeTextFile(FILE, `${JSON.stringify(all, null, 2)}\n`)
console.log(`\n${table(results)}`)
Deno.exit(failed ? 1 : 0)
