/**
 * Fine-tunes a model in 4 bits with QA-LoRA on your own data and writes it as a GGUF file in which every code is as it was
 * trained: Q4_1, for llama.cpp and Ollama, with a Modelfile beside it. Without flags: the included model on the SMS Spam
 * Collection.
 *
 * ```sh
 * deno task qa-lora --model ./smollm2-q4_1.gguf --data pairs.jsonl --prompt question --completion answer
 * ollama create mine -f runs/qa-lora-gguf/Modelfile
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { checkAbsent } from "../core/formats/files/check_absent.ts"
import { writeFileWhole } from "../core/formats/files/whole_file.ts"
import { field } from "../core/options/mod.ts"
import type { RunMethods } from "../core/run/mod.ts"
import { Model } from "../mod.ts"
import * as QaLora from "../plugins/qa_lora/mod.ts"
import * as Quantization from "../plugins/quantization/mod.ts"
import { runSpec, specOf, TABLE as LORA_TABLE } from "./lora.ts"
import { beside, defined, flagsOf, main, namesOf } from "./shared.ts"

/** QA-LoRA over a base in Q4_1: bytes of a file that holds it stay, other weights are rounded while they are loaded. */
const METHODS: RunMethods = {
  "qa-lora": {
    options: QaLora.options,
    layer: ({ targetModules, excludeModules, ...options }: QaLora.QaLoraOptions) => {
      const modules = defined({ targetModules, excludeModules })
      const base = Quantization.layer({ format: "q4_1", ...modules })
      return QaLora.layer({ ...options, ...modules }).pipe(Layer.provide(base))
    },
  },
}
const { rank, alpha, dropout: _, targetModules: __, label: ___, task: ____, ...table } = LORA_TABLE
const { pooling, targetModules, excludeModules } = QaLora.options

const flags = flagsOf({
  ...table,
  model: field.text({
    default: beside("./models/espalier-1m"),
    absent: "the included one",
    doc: "GGUF file, or directory with safetensors",
  }),
  rank: { ...rank, default: 16 },
  alpha,
  pooling,
  targetModules: { ...targetModules, doc: "Names separated by commas, a regular expression, or all-linear" },
  excludeModules: { ...excludeModules, doc: "Names separated by commas, or a regular expression, to leave out" },
  output: field.text({ default: "runs/qa-lora", doc: "Run folder" }),
  gguf: field.text({ absent: "model.gguf in a folder beside the run folder", doc: "The file that is written" }),
  name: field.text({ absent: "that of the model", doc: "Name of the model in the file" }),
  force: field.boolean({ default: false, doc: "Write over a GGUF file and a Modelfile that are there" }),
  checkPrompts: field.list(field.text({}), { absent: "eight short texts", doc: "Texts that the file is checked with" }),
  noCheck: field.boolean({ default: false, doc: "Do not load the file and compare it with the model" }),
})
type Options = Command.Command.Config.Infer<typeof flags>

const modulesIn = (text: string | ReadonlyArray<string>) =>
  typeof text !== "string" || text === "all-linear" || /[*+?()[\]\\|^$]/.test(text) ? text : namesOf(text)

const specIn = (options: Options) => {
  const { rank, alpha, pooling, targetModules, excludeModules } = options
  const spec = specOf({ ...options, task: "causal-lm", dropout: 0, targetModules: undefined, label: undefined })
  const method = {
    method: "qa-lora",
    r: rank,
    loraAlpha: alpha,
    pooling,
    targetModules: modulesIn(targetModules),
    ...excludeModules === undefined ? {} : { excludeModules: modulesIn(excludeModules) },
  }
  return { ...spec, methods: [method] }
}

const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/") + 1) || "./"

/** Writes the model and its Modelfile. */
const write = (model: Model.Model, path: string, modelfile: string, options: Options) =>
  Effect.gen(function* () {
    const { force, name, noCheck, checkPrompts: prompts } = options
    yield* (yield* FileSystem.FileSystem).makeDirectory(folderOf(path), { recursive: true })
    const report = yield* Model.saveGguf(model, path, {
      force,
      ...name === undefined ? {} : { general: { name } },
      check: noCheck ? false : defined({ prompts }),
    })
    for (const line of report.lines) yield* Console.log(line)
    yield* writeFileWhole(modelfile, `FROM ./${path.slice(path.lastIndexOf("/") + 1)}\n`)
    yield* Console.log(
      `model: ${path} (${Object.entries(report.types).map(([type, count]) => `${count} ${type}`).join(", ")})`,
    )
    yield* Console.log(`for Ollama: ollama create NAME -f ${modelfile}`)
  })

const command = Command.make("qa-lora", flags, (options) =>
  Effect.gen(function* () {
    const path = options.gguf ?? `${options.output}-gguf/model.gguf`
    const modelfile = `${folderOf(path)}Modelfile`
    // Before hours of training.
    if (!options.force) yield* Effect.forEach([path, modelfile], checkAbsent)
    yield* runSpec(specIn(options), METHODS, options, (model) => write(model, path, modelfile, options))
  })).pipe(
    Command.withDescription(
      "Fine-tunes a model in 4 bits with QA-LoRA and writes it as GGUF, every code as it was trained",
    ),
    Command.withExamples([{
      command: "deno task qa-lora --model ./smollm2-q4_1.gguf --data pairs.jsonl --prompt question --completion answer",
      description: "A GGUF file in, a GGUF file out",
    }]),
  )

if (import.meta.main) main(command)
