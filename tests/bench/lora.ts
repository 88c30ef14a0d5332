/**
 * The LoRA steps that several suites measure: models and batches as peers/peft_step.py makes them, and who runs them.
 * @module
 */
import { execute, workspace } from "../conformance/environment.ts"
import type { Contestant } from "./contest.ts"
import { deno, here, python, torchTwice } from "./peers.ts"

/** A case. */
export interface LoraCase {
  /** As peers/peft_step.py calls it. */
  readonly key:
    | "minilm"
    | "smollm2"
    | "smollm2x4"
    | "smollm2-linear"
    | "modernbert"
    | "modernbert-lengths"
    | "qwen3"
  /** For people. */
  readonly name: string
  /** Tokens of a step. */
  readonly tokens: number
}

/** All of them. */
export const loraCases: ReadonlyArray<LoraCase> = [
  { key: "minilm", name: "MiniLM-L6, 16 x 128", tokens: 16 * 128 },
  { key: "smollm2", name: "Llama of SmolLM2-135M's shape, 1 x 256", tokens: 256 },
]

/** Those of a private step: one of several examples. */
export const privateCases: ReadonlyArray<LoraCase> = [
  loraCases[0],
  { key: "smollm2x4", name: "Llama of SmolLM2-135M's shape, 4 x 256", tokens: 4 * 256 },
]

/** That of a quantized base, with LoRA on all its linear layers. */
export const quantizedCase: LoraCase = {
  key: "smollm2-linear",
  name: "Llama of SmolLM2-135M's shape, all linear layers, 1 x 256",
  tokens: 256,
}

/** Those of newer families: of an encoder with rows of one length and of several, of a decoder in bf16. */
export const familyCases = {
  full: { key: "modernbert", name: "ModernBERT-base's shape, 16 x 512", tokens: 16 * 512 },
  lengths: { key: "modernbert-lengths", name: "ModernBERT-base's shape, 16 rows of 64 to 512", tokens: 16 * 288 },
  decoder: { key: "qwen3", name: "Qwen3-0.6B's shape, 1 x 256", tokens: 256 },
} as const satisfies Record<string, LoraCase>

const made = new Map<string, Promise<string>>()
/** Makes model, adapter and batch of a case, once a run. Gives their directory. */
export const loraDirectory = ({ key }: LoraCase): Promise<string> => {
  const make = async () => {
    const directory = `${workspace}/bench-lora/${key}`
    const { path } = await python()
    await execute(path, ["-W", "ignore", `${here}peers/peft_step.py`, "--make", key, directory], "inherit")
    return directory
  }
  if (!made.has(key)) made.set(key, make())
  return made.get(key)!
}

/** PEFT on a case, once or twice: see {@link torchTwice}; options as peers/peft_step.py has them. */
export const peftStep = (
  directory: string,
  ...options: ReadonlyArray<string>
): Promise<ReadonlyArray<Contestant>> =>
  torchTwice(
    ({ peft, torch }) => [`PEFT ${peft}`, ...options, `torch ${torch} eager`].join(", "),
    "peers/peft_step.py",
    directory,
    ...options,
  )

/** Espalier on a case; options as ours/lora_step.ts has them. */
export const ourLoraStep = (directory: string, ...options: ReadonlyArray<string>): Contestant =>
  deno(["Espalier", ...options].join(" "), "ours/lora_step.ts", directory, ...options)
