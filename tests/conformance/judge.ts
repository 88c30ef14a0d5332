/**
 * A run held against the reference: what it computed, and what it saved.
 * @module
 */
import type { Layer } from "effect/Layer"
import type { Backend } from "../../core/backend/backend.ts"
import type { BackendError } from "../../core/backend/backend_error.ts"
import { readTensors } from "./tensors.ts"
import { type Case, hasMethod } from "./cases.ts"
import {
  compareEmbeddings,
  compareInitialization,
  compareKeys,
  compareLogits,
  compareStart,
  compareTraining,
  inParts,
  type Tensors,
} from "./compare.ts"
import { execute, scripts, workspace } from "./environment.ts"
import { readAdapters } from "./espalier_adapters.ts"
import type { CaseResult } from "./espalier_case.ts"
import { startsFromBase } from "./lora_cases.ts"
import { readTraining } from "./reference.ts"

/** A case on a backend. */
export interface Run {
  /** The case's, with the backend's where it is not wasm. */
  readonly name: string
  readonly one: Case
  readonly backend: Layer<Backend, BackendError>
  /** By which the tolerances are wider. */
  readonly factor: number
}

const weightsIn = (directory: string, one: Case): Tensors =>
  one.adapters !== undefined
    ? readAdapters(directory)
    : readTensors(`${directory}/${hasMethod(one) ? "adapter_model" : "model"}.safetensors`)

/** Violations of the rule by a run, saved files apart. */
export const judge = (
  one: Case,
  directory: string,
  result: CaseResult,
  factor: number,
  self: boolean,
): Array<string> => {
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
          ? compareTraining(
            inParts(readTraining(directory), one.parts ?? {}),
            inParts(result.training, one.parts ?? {}),
            one.noGradient,
            factor,
          )
          : missing("training"),
        // After training the weights differ within the rule; what must agree to the last digits is a file read back.
        ...self ? [] : compare("theirs", "after"),
      ]
  }
}

/** Loads everything that was saved into PEFT and transformers; violations by name of run. */
export const judgeSaved = async (
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
    quantized: one.quantized,
    groups: one.qalora !== undefined,
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
