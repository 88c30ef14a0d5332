/**
 * What PyTorch, transformers and PEFT of an environment compute for the cases: run once and kept, and read.
 * @module
 */
import { readTensors } from "./tensors.ts"
import type { Case } from "./cases.ts"
import type { Training } from "./compare.ts"
import { type Environment, execute, pythonEnvironment, scripts, workspace } from "./environment.ts"
import type { CaseResult, RunCase } from "./espalier_case.ts"

/** The name of what was made of the same files and words, in 16 digits. */
export const digest = async (files: ReadonlyArray<string>, words: ReadonlyArray<string>): Promise<string> => {
  const parts = [...files.map((name) => Deno.readTextFileSync(name)), ...words]
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("\0")))
  return new Uint8Array(hash).toHex().slice(0, 16)
}

/** What makes the tokenizers of small models. */
const TOKENIZERS = "../fixtures/directories/tokenizers_made.py"

/** The reference's directory, computed unless the same scripts, pins and cases have been. */
export const reference = async (
  environment: Environment,
  cases: ReadonlyArray<Case>,
  options: ReadonlyArray<string>,
): Promise<string> => {
  const { requirements, withoutDependencies } = environment
  const text = JSON.stringify(cases)
  const parts = [
    "",
    "_adapters",
    "_decoders",
    "_encoders",
    "_mixers",
    "_multitask",
    "_private",
    "_quantized",
    "_seq2seq",
  ]
    .map((part) => `reference${part}.py`)
  const hash = await digest([...parts, TOKENIZERS, requirements, withoutDependencies].map((name) => scripts + name), [
    text,
    ...options,
  ])
  const directory = `${workspace}/reference-${hash}`
  if (await Deno.stat(directory).then(() => true, () => false)) return directory
  // Under another name until it is whole.
  const partial = `${workspace}/partial-${hash}`
  await Deno.remove(partial, { recursive: true }).catch(() => {})
  const list = `${workspace}/cases-${hash}.json`
  await Deno.mkdir(workspace, { recursive: true })
  await Deno.writeTextFile(list, text)
  const python = await pythonEnvironment(environment)
  await execute(python, ["-W", "ignore", `${scripts}reference.py`, list, partial, ...options], "piped")
  await Deno.rename(partial, directory)
  return directory
}

/** A training as it lies in a case's directory. */
export const readTraining = (directory: string): Training => ({
  losses: JSON.parse(Deno.readTextFileSync(`${directory}/losses.json`)),
  firstGradients: readTensors(`${directory}/first_gradients.safetensors`),
  initial: readTensors(`${directory}/initial.safetensors`),
  trained: readTensors(`${directory}/trained.safetensors`),
})

/** What torch itself gives, read as if Espalier had computed it. */
export const readAsResult = (directory: string): RunCase => (one) => {
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
