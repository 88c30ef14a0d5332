/**
 * `deno task conformance [--self] [name ...]`: Espalier beside PyTorch, transformers and PEFT, in each Python environment.
 * Some cases run on WebGPU too, with wider tolerances. With `--self`, torch in float32 stands in for Espalier: shows that
 * the rule can be met, and that the controls fail it. The name `mutations` stands for the thousand changed files of
 * run_mutations.ts, read in both environments, `blocks` for the encodings of quantized/run_blocks.ts,
 * `tokenizers` for the kinds of tokenizers/run_tokenizers.ts, `searches` for the families of searches/run_searches.ts,
 * `hub` for the cache of hub/run_hub.ts, `gguf` for the files of quantized/run_gguf.ts.
 * @module
 */
import * as Wasm from "../../core/backend/wasm/backend.ts"
import * as Webgpu from "../../core/backend/webgpu/backend.ts"
import { type Case, cases, noReference, onWebgpu } from "./cases.ts"
import { type Environment, environments, pythonEnvironment, workspace } from "./environment.ts"
import { type CaseResult, runCase } from "./espalier_case.ts"
import { judge, judgeSaved, type Run } from "./judge.ts"
import { readAsResult, reference } from "./reference.ts"
import { runBlocks } from "./quantized/run_blocks.ts"
import { runGguf } from "./quantized/run_gguf.ts"
import { runHub } from "./hub/run_hub.ts"
import { runMutations } from "./run_mutations.ts"
import { runSearches } from "./searches/run_searches.ts"
import { runTokenizers } from "./tokenizers/run_tokenizers.ts"

/** What is no case of training, by name. */
const others: ReadonlyMap<string, { readonly title: string; readonly run: typeof runBlocks }> = new Map([
  ["mutations", {
    title: "changed config and tokenizer files, read as transformers reads them",
    run: () => runMutations(false),
  }],
  ["blocks", { title: "blocks and files as the gguf package reads and writes them", run: runBlocks }],
  ["tokenizers", { title: "token ids of each family's kind, as the Rust library has them", run: runTokenizers }],
  ["searches", { title: "greedy and beam search of each family, as transformers finds it", run: runSearches }],
  ["hub", { title: "one cache for Espalier and for huggingface_hub", run: runHub }],
  ["gguf", { title: "SmolLM2 in GGUF files, beside transformers and llama.cpp", run: runGguf }],
])

const self = Deno.args.includes("--self")
const names = Deno.args.filter((argument) => !argument.startsWith("--"))
const known = [...cases.map((one) => one.name), ...others.keys()]
const unknown = names.filter((name) => !known.includes(name))
if (unknown.length > 0) throw new Error(`no such case: ${unknown.join(", ")}; there are ${known.join(", ")}`)
const adapter = await navigator.gpu?.requestAdapter() ?? null

/** What was asked for, with the cases of controls. */
const asked = names.length === 0
  ? cases
  : cases.filter(({ name }) =>
    names.includes(name) || cases.some((one) => names.includes(one.name) && one.controlOf === name)
  )

/** The cases that an environment has a reference for. */
const casesIn = ({ adapterHub, version }: Environment): ReadonlyArray<Case> =>
  asked.filter(({ adapters, since = 0 }) => (adapterHub || adapters === undefined) && since <= version)

/** What of an environment's cases was asked for, on each backend. */
const runsIn = (environment: Environment): ReadonlyArray<Run> => {
  const chosen = casesIn(environment).filter((one) => names.length === 0 || names.includes(one.name))
  // The stand-in computes the same whatever the backend; what a shader computes does not hang on who wrote the files.
  const onGpu = self || adapter === null || environment !== environments[0] ? [] : chosen
  return [
    ...chosen.map((one) => ({ name: one.name, one, backend: Wasm.layer(), factor: 1 })),
    ...onGpu.filter(({ name }) => onWebgpu.includes(name)).map((one) => ({
      name: `webgpu-${one.name}`,
      one,
      backend: Webgpu.layer({ software: true }),
      factor: 10,
    })),
  ]
}

/** Violations by name of run, of all runs in an environment. */
const violationsIn = async (environment: Environment): Promise<Map<string, Array<string>>> => {
  const python = await pythonEnvironment(environment)
  const expected = await reference(environment, casesIn(environment), [])
  const runOne = self ? readAsResult(await reference(environment, casesIn(environment), ["--float32"])) : runCase
  const violations = new Map<string, Array<string>>()
  const trained: Array<Run & { readonly result: CaseResult }> = []
  for (const run of runsIn(environment)) {
    const { name, one, backend, factor } = run
    const output = `${workspace}/runs/${name}`
    await Deno.remove(output, { recursive: true }).catch(() => {})
    await Deno.mkdir(output, { recursive: true })
    try {
      const result = await runOne(one, `${expected}/${one.name}`, output, backend)
      const found = judge(one, `${expected}/${one.controlOf ?? one.name}`, result, factor, self)
      // A control that agrees is the violation.
      const agrees = found.length === 0 ? [`agrees with "${one.controlOf}", which it must not`] : []
      violations.set(name, one.controlOf === undefined ? found : agrees)
      if (one.kind === "train" && one.controlOf === undefined) {
        if (result.saved !== undefined && result.after !== undefined) trained.push({ ...run, result })
        else found.push("the run saved nothing")
      }
    } catch (error) {
      violations.set(name, [error instanceof Error ? error.stack ?? error.message : String(error)])
    }
  }
  if (trained.length > 0) {
    for (const [name, found] of await judgeSaved(python, expected, trained)) violations.get(name)!.push(...found)
  }
  return violations
}

const wanted = environments.filter((one) => casesIn(one).length > 0)
// Their references side by side: each is one thread.
await Promise.all(wanted.map((one) => reference(one, casesIn(one), [])))
let passed = 0, failed = 0
for (const environment of wanted) {
  console.log(`== ${environment.title}`)
  for (const [name, found] of await violationsIn(environment)) {
    console.log(`${found.length === 0 ? "ok    " : "FAILED"} ${name}`)
    for (const line of found.slice(0, 8)) console.log(`         ${line}`)
    if (found.length > 8) console.log(`         and ${found.length - 8} more`)
    found.length === 0 ? passed++ : failed++
  }
}
for (const [name, { title, run }] of self ? [] : others) {
  if (names.length > 0 && !names.includes(name)) continue
  console.log(`== ${title}`)
  const found = await run()
  passed += found.passed
  failed += found.failed
}
if (adapter === null && wanted.length > 0 && !self) {
  console.log(
    `webgpu: ${onWebgpu.length} conformance cases NOT RUN: no WebGPU adapter; mesa-vulkan-drivers brings one`,
  )
}
if (names.length === 0) { for (const what of noReference) console.log(`no reference: ${what}`) }
console.log(`${passed} passed, ${failed} failed`)
Deno.exit(failed === 0 ? 0 : 1)
