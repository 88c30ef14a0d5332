/**
 * `deno task conformance [--self] [name ...]`: Espalier beside PyTorch, transformers and PEFT.
 * Some cases run on WebGPU too, with wider tolerances. With `--self`, torch in float32 stands in for Espalier: shows that
 * the rule can be met, and that the controls fail it.
 * @module
 */
import * as Wasm from "../../core/backend/wasm/backend.ts"
import * as Webgpu from "../../core/backend/webgpu/backend.ts"
import { readTensors } from "./_tensors.ts"
import { type Case, cases, hasMethod, noReference, onWebgpu } from "./cases.ts"
import {
  compareEmbeddings,
  compareInitialization,
  compareKeys,
  compareLogits,
  compareStart,
  compareTraining,
  type Tensors,
  type Training,
} from "./compare.ts"
import { execute, pythonEnvironment, scripts, workspace } from "./environment.ts"
import { readAdapters } from "./espalier_adapters.ts"
import { type CaseResult, type RunCase, runCase } from "./espalier_case.ts"
import { startsFromBase } from "./lora_cases.ts"

const readTraining = (directory: string): Training => ({
  losses: JSON.parse(Deno.readTextFileSync(`${directory}/losses.json`)),
  firstGradients: readTensors(`${directory}/first_gradients.safetensors`),
  initial: readTensors(`${directory}/initial.safetensors`),
  trained: readTensors(`${directory}/trained.safetensors`),
})
const weightsIn = (directory: string, one: Case): Tensors =>
  one.adapters !== undefined
    ? readAdapters(directory)
    : readTensors(`${directory}/${hasMethod(one) ? "adapter_model" : "model"}.safetensors`)

/** The reference's directory, computed unless the same scripts, pins and cases have been. */
const reference = async (python: string, options: ReadonlyArray<string>): Promise<string> => {
  const text = JSON.stringify(cases)
  const parts = ["reference.py", "reference_adapters.py", "requirements.txt", "without_dependencies.txt"].map((name) =>
    Deno.readTextFileSync(scripts + name)
  )
  const bytes = new TextEncoder().encode([...parts, text, ...options].join("\0"))
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 16)
  const directory = `${workspace}/reference-${hash}`
  if (await Deno.stat(directory).then(() => true, () => false)) return directory
  // Under another name until it is whole.
  const partial = `${workspace}/partial`
  await Deno.remove(partial, { recursive: true }).catch(() => {})
  await Deno.writeTextFile(`${workspace}/cases.json`, text)
  const args = ["-W", "ignore", `${scripts}reference.py`, `${workspace}/cases.json`, partial, ...options]
  await execute(python, args, "piped")
  await Deno.rename(partial, directory)
  return directory
}

/** What torch itself gives, read as if Espalier had computed it. */
const readAsResult = (directory: string): RunCase => (one) => {
  const at = `${directory}/${one.name}`
  const logits = readTensors(`${at}/logits.safetensors`)
  const result: CaseResult = {
    base: logits.get("base")!.data,
    ...one.kind === "init" ? { adapter: readTensors(`${at}/adapter/adapter_model.safetensors`) } : {},
    ...one.kind !== "train" ? {} : {
      before: logits.get("before")!.data,
      after: logits.get("after")!.data,
      training: readTraining(at),
      saved: `${at}/final`,
    },
  }
  return Promise.resolve(result)
}

/** Violations of the rule by a run, saved files apart. */
const judge = (one: Case, directory: string, result: CaseResult, factor: number): Array<string> => {
  const logits = readTensors(`${directory}/logits.safetensors`)
  const missing = (what: string): Array<string> => [`the run gave no ${what}`]
  const compare = (what: "base" | "before" | "theirs", expected: string): Array<string> => {
    const values = result[what]
    return values
      ? compareLogits(`logits ${what}`, logits.get(expected)!.data, values, factor)
      : missing(`logits "${what}"`)
  }
  switch (one.kind) {
    case "logits":
      return compare("base", "base")
    case "embeddings":
      return result.base ? compareEmbeddings(logits.get("base")!, result.base) : missing("embeddings")
    case "init":
      return result.adapter
        ? (startsFromBase(one) ? compareStart : compareInitialization)(
          readTensors(`${directory}/adapter/adapter_model.safetensors`),
          result.adapter,
        )
        : missing("adapter")
    case "train":
      return [
        ...compare("base", "base"),
        ...compare("before", "before"),
        ...result.training
          ? compareTraining(readTraining(directory), result.training, one.noGradient, factor)
          : missing("training"),
        // After training the weights differ within the rule; what must agree to the last digits is a file read back.
        ...self ? [] : compare("theirs", "after"),
      ]
  }
}

/** A case on a backend. */
interface Run {
  /** The case's, with the backend's where it is not wasm. */
  readonly name: string
  readonly one: Case
  readonly backend: Parameters<RunCase>[3]
  /** By which the tolerances are wider. */
  readonly factor: number
}

/** Loads everything that was saved into PEFT and transformers; violations by name of run. */
const judgeSaved = async (
  python: string,
  directory: string,
  runs: ReadonlyArray<Run & { readonly result: CaseResult }>,
): Promise<Map<string, Array<string>>> => {
  const jobs = runs.map(({ name, one, result }) => ({
    model: `${directory}/${one.name}/model`,
    saved: result.saved,
    head: one.model.head,
    adapter: hasMethod(one),
    hub: one.adapters !== undefined,
    batches: `${directory}/${one.name}/batches.json`,
    output: `${workspace}/saved/${name}.safetensors`,
  }))
  await Deno.mkdir(`${workspace}/saved`, { recursive: true })
  await Deno.writeTextFile(`${workspace}/jobs.json`, JSON.stringify(jobs))
  const text = await execute(python, ["-W", "ignore", `${scripts}check_saved.py`, `${workspace}/jobs.json`], "piped")
  const answers: Array<{ errors: Array<string> }> = text.trim().split("\n").map((line) => JSON.parse(line))
  return new Map(runs.map(({ name, one, factor, result }, i) => {
    if (answers[i].errors.length > 0) return [name, answers[i].errors.map((error) => `saved: ${error}`)]
    const ours = weightsIn(result.saved!, one)
    return [name, [
      ...compareKeys("saved", weightsIn(`${directory}/${one.name}/final`, one), ours),
      ...compareLogits(
        "saved: logits there",
        readTensors(jobs[i].output).get("logits")!.data,
        result.after ?? [],
        factor,
      ),
    ]]
  }))
}

const self = Deno.args.includes("--self")
const names = Deno.args.filter((argument) => !argument.startsWith("--"))
const chosen = cases.filter((one) => names.length === 0 || names.includes(one.name))
const unknown = names.filter((name) => !cases.some((one) => one.name === name))
if (unknown.length > 0) {
  throw new Error(`no such case: ${unknown.join(", ")}; there are ${cases.map((one) => one.name).join(", ")}`)
}

// The stand-in computes the same whatever the backend.
const chosenOnWebgpu = self ? [] : chosen.filter(({ name }) => onWebgpu.includes(name))
const adapter = await navigator.gpu?.requestAdapter() ?? null
const runs: ReadonlyArray<Run> = [
  ...chosen.map((one) => ({ name: one.name, one, backend: Wasm.layer(), factor: 1 })),
  ...(adapter === null ? [] : chosenOnWebgpu).map((one) => ({
    name: `webgpu-${one.name}`,
    one,
    backend: Webgpu.layer({ software: true }),
    factor: 10,
  })),
]

const python = await pythonEnvironment()
const expected = await reference(python, [])
const runOne = self ? readAsResult(await reference(python, ["--float32"])) : runCase
const violations = new Map<string, Array<string>>()
const trained: Array<Run & { readonly result: CaseResult }> = []
for (const run of runs) {
  const { name, one, backend, factor } = run
  const output = `${workspace}/runs/${name}`
  await Deno.remove(output, { recursive: true }).catch(() => {})
  await Deno.mkdir(output, { recursive: true })
  try {
    const result = await runOne(one, `${expected}/${one.name}`, output, backend)
    const found = judge(one, `${expected}/${one.controlOf ?? one.name}`, result, factor)
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
for (const [name, found] of violations) {
  console.log(`${found.length === 0 ? "ok    " : "FAILED"} ${name}`)
  for (const line of found.slice(0, 8)) console.log(`         ${line}`)
  if (found.length > 8) console.log(`         and ${found.length - 8} more`)
}
const failed = [...violations.values()].filter((found) => found.length > 0).length
if (adapter === null && chosenOnWebgpu.length > 0) {
  console.log(
    `webgpu: ${chosenOnWebgpu.length} conformance cases NOT RUN: no WebGPU adapter; mesa-vulkan-drivers brings one`,
  )
}
if (names.length === 0) { for (const what of noReference) console.log(`no reference: ${what}`) }
console.log(`${violations.size - failed} passed, ${failed} failed`)
Deno.exit(failed === 0 ? 0 : 1)
