/**
 * `deno task bench [suite ...] [--rounds N] [--sst2 PATH]`: Espalier beside its peers in the same run. Prints a table and
 * writes bench.json after each suite; suites that did not run, or broke off, keep what is there. On which machine, when and
 * beside which versions each suite ran is written to `.conformance/bench-runs.json`.
 *
 * `deno task bench [suite ...] --before CHECKOUT`: beside an older checkout instead, where a suite can. Writes nothing.
 *
 * `deno task bench [suite ...] --docs` measures nothing. It copies the named suites (default: none) from bench.json to
 * `docs/benchmarks.json`, then writes the tables of `docs/benchmarks.md` and `README.md` from that file.
 * @module
 */
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import { workspace } from "../conformance/environment.ts"
import { python, versions } from "./peers.ts"
import { type Benchmarks, filled, textOf } from "./page.ts"
import { type Result, table } from "./result.ts"
import type { Suite } from "./suite.ts"
import { adapters } from "./suites/adapters.ts"
import { bundle } from "./suites/bundle.ts"
import { busy } from "./suites/busy.ts"
import { cold } from "./suites/cold.ts"
import { epochReal } from "./suites/epoch_real.ts"
import { families } from "./suites/steps/families.ts"
import { gemm } from "./suites/gemm.ts"
import { generate } from "./suites/generate.ts"
import { large } from "./suites/large.ts"
import { loraStep } from "./suites/steps/lora_step.ts"
import { memory } from "./suites/memory.ts"
import { methods } from "./suites/methods.ts"
import { packed } from "./suites/steps/packed.ts"
import { privateStep } from "./suites/steps/private_step.ts"
import { serving } from "./suites/serving.ts"
import { setup } from "./suites/setup.ts"
import { stepSmall } from "./suites/steps/step_small.ts"
import { window } from "./suites/window.ts"

const suites: ReadonlyArray<Suite> = [
  gemm,
  stepSmall,
  loraStep,
  busy,
  epochReal,
  memory,
  methods,
  adapters,
  privateStep,
  packed,
  generate,
  serving,
  setup,
  cold,
  bundle,
  window,
  large,
  families,
]
const FILE = "bench.json"
/** By suite, what its figures depend on. */
const RUNS = `${workspace}/bench-runs.json`

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "6" },
    sst2: { type: "string" },
    before: { type: "string" },
    docs: { type: "boolean" },
  },
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

let results: ReadonlyArray<Result> = JSON.parse(await Deno.readTextFile(FILE).catch(() => "[]"))
const runs: Record<string, string> = JSON.parse(await Deno.readTextFile(RUNS).catch(() => "{}"))

if (values.docs) {
  const file = "docs/benchmarks.json"
  const stored: Benchmarks = JSON.parse(await Deno.readTextFile(file))
  const absent = positionals.filter((name) => !(name in runs))
  if (absent.length > 0) throw new Error(`bench.json has no results of ${absent.join(", ")}: run them first`)
  const from = (name: string) => positionals.includes(name) ? { runs, results } : stored
  const benchmarks: Benchmarks = {
    runs: Object.fromEntries(
      suites.map(({ name }) => [name, from(name).runs[name]]).filter(([, run]) => run !== undefined),
    ),
    results: suites.flatMap(({ name }) => from(name).results.filter(({ suite }) => suite === name)),
  }
  await Deno.writeTextFile(file, textOf(benchmarks))
  for (const page of ["docs/benchmarks.md", "README.md"]) {
    await Deno.writeTextFile(page, filled(await Deno.readTextFile(page), benchmarks))
  }
  console.log(
    `copied from bench.json: ${positionals.join(", ") || "nothing"}; docs/benchmarks.md and README.md are written`,
  )
  Deno.exit(0)
}

const chosen = suites.filter(({ name, named }) => positionals.length === 0 ? !named : positionals.includes(name))
const withPython = chosen.some(({ python }) => python !== "no")
/** Its versions, or why it is not there. */
const inPython = withPython
  ? await python().then(
    ({ builds, versions: { transformers, peft }, capability }) =>
      `${builds} (${capability}), transformers ${transformers}, PEFT ${peft}`,
    (error: Error) => error,
  )
  : "none in Python asked for"
const peers = `jax-js ${versions.jaxJs}, tfjs ${versions.tfjs}; ${
  inPython instanceof Error ? "none in Python" : inPython
}`
const [load] = Deno.loadavg()
const date = new Date().toISOString()
console.log(`machine: ${machine()}; load ${load.toFixed(2)}`)
console.log(`date: ${date}`)
console.log(`peers: ${peers}`)
if (inPython instanceof Error) console.log(`without peers in Python: ${inPython.message}`)
console.log(`rounds: ${rounds}${rounds < 5 ? ", too few for a figure to be shown to others" : ""}\n`)

/** Writes what a suite found. */
const keep = async (name: string, own: ReadonlyArray<Result>, done: number): Promise<void> => {
  results = suites.flatMap((suite) => suite.name === name ? own : results.filter((one) => one.suite === suite.name))
  runs[name] = `${machine()}; ${peers}; ${done} rounds, ${date.slice(0, 16)} UTC`
  await Deno.writeTextFile(FILE, `${JSON.stringify(results, null, 2)}\n`)
  await Deno.mkdir(workspace, { recursive: true })
  await Deno.writeTextFile(RUNS, `${JSON.stringify(runs, null, 2)}\n`)
}

const fresh: Array<Result> = []
let failed = false
for (const { name, python, most = Infinity, run } of chosen) {
  if (inPython instanceof Error && python === "needed") {
    console.log(`${name}: left out, its models are made in Python`)
    continue
  }
  const own: Array<Result> = []
  const { sst2, before } = values
  const done = Math.min(rounds, most)
  const take = (found: Result) => {
    own.push(found)
    console.log(
      `${found.suite}: ${found.name}, ${found.backend}: ratio ${found.ratio.toFixed(2)} to ${found.peerName}`,
    )
  }
  try {
    const given = { ...(sst2 === undefined ? {} : { sst2 }), ...(before === undefined ? {} : { before }) }
    await run({ rounds: done, ...given, take, note: console.log })
    if (before === undefined) await keep(name, own, done)
  } catch (error) {
    failed = true
    console.log(`${name}: broke off: ${(error as Error).message}`)
  }
  fresh.push(...own)
}
console.log(`\n${table(fresh)}`)
Deno.exit(failed ? 1 : 0)
