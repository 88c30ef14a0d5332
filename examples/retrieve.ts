/**
 * Answers questions from your documents and names its sources. The index is an SQLite file; any model here embeds, any causal
 * language model answers. Without `--model` and `--encoder` the included tiny model does both: it shows the way, not good answers.
 *
 * ```sh
 * deno task retrieve --documents docs,README.md --question "How is a model saved as GGUF?"
 * deno task retrieve --documents notes --encoder hf:sentence-transformers/all-MiniLM-L6-v2 --model hf:HuggingFaceTB/SmolLM2-135M-Instruct
 * deno task retrieve --question "And now?"    # from the index that is there
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { field } from "../core/options/mod.ts"
import { DataError, Model, Task } from "../mod.ts"
import { families } from "../plugins/all/mod.ts"
import * as Chat from "../plugins/chat/mod.ts"
import * as Retrieval from "../plugins/retrieval/mod.ts"
import * as Sqlite from "../plugins/sqlite/mod.ts"
import { machine } from "./machine.ts"
import { beside, defined, flagsOf, main, RUN_FLAGS } from "./shared.ts"

const flags = flagsOf({
  documents: field.list(field.text({}), {
    absent: "the index that is there",
    doc: "Files and directories of texts (.txt, .md) that are indexed",
  }),
  index: field.text({ default: "runs/index.db", doc: "SQLite file of the index" }),
  encoder: field.text({ absent: "that of --model", doc: "Model that embeds: directory, GGUF file, or hf:owner/name" }),
  query: field.text({ default: "", doc: "What the encoder wants before a query" }),
  passage: field.text({ default: "", doc: "What the encoder wants before a passage" }),
  model: field.text({ absent: "the included one", doc: "Model that answers: directory, GGUF file, or hf:owner/name" }),
  question: field.text({ absent: "index alone", doc: "What is asked" }),
  count: field.integer({ minimum: 1, default: 3, doc: "Most passages in a prompt" }),
  passageLength: field.integer({ minimum: 1, default: 400, doc: "Most characters of a passage" }),
  plain: field.boolean({ default: false, doc: "Continue the prompt, without the model's chat template" }),
  maxNewTokens: field.integer({ minimum: 1, default: 64, doc: "Most tokens of the answer" }),
  threads: RUN_FLAGS.threads,
})

type Options = Command.Command.Config.Infer<typeof flags>

/** The texts of files, and of the files of directories. */
const documentsOf = (paths: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const files = yield* Effect.forEach(paths, (path) =>
      Effect.gen(function* () {
        if ((yield* fs.stat(path)).type !== "Directory") return [path]
        const names = yield* fs.readDirectory(path, { recursive: true })
        return names.filter((name) => /\.(txt|md)$/.test(name)).sort().map((name) => `${path}/${name}`)
      }))
    return yield* Effect.forEach(
      files.flat(),
      (source) => Effect.map(fs.readFileString(source), (text) => ({ source, text })),
    )
  }).pipe(Effect.catchTag("PlatformError", ({ message }) => new DataError({ reason: "Unreadable", message })))

/** The index of the documents, made and saved, or the one that is there. */
const indexOf = (encoder: Retrieval.Encoder, { documents, passageLength }: Options) =>
  Effect.gen(function* () {
    if (documents === undefined) return yield* Retrieval.open(encoder)
    const index = yield* Retrieval.index(encoder, yield* documentsOf(documents), { passageLength })
    yield* Retrieval.save(index)
    yield* Console.log(`indexed ${index.passages.length} passages`)
    return index
  })

const INCLUDED = beside("./models/espalier-1m")

/** The folder of the index, made where it is not there. */
const folderOf = ({ index }: Options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = index.slice(0, Math.max(0, index.lastIndexOf("/")))
    if (folder !== "") yield* fs.makeDirectory(folder, { recursive: true })
  }).pipe(Effect.catchTag("PlatformError", ({ message }) => new DataError({ reason: "Unreadable", message })))

const program = (options: Options) =>
  Effect.gen(function* () {
    const { model: path = INCLUDED, encoder: encoding = path, question, count, plain, maxNewTokens, query, passage } =
      options
    const encoder = yield* Retrieval.loadEncoder(encoding, { query, passage })
    const index = yield* indexOf(encoder, options)
    if (question === undefined) return
    const model = yield* Model.load(path, { task: Task.causalLM(), frozen: true })
    const chat = plain || path === INCLUDED ? undefined : yield* Chat.find(path)
    const [answer] = yield* Retrieval.answer(model, index, [question], { ...defined({ chat }), count, maxNewTokens })
    yield* Console.log(answer.text)
    const named = new Set(answer.sources)
    for (const [i, passage] of answer.passages.entries()) {
      const { source, begin, score } = passage, use = named.has(passage) ? "named" : "given"
      yield* Console.log(`[${i + 1}] ${source}, from character ${begin}, cosine ${score.toFixed(3)}, ${use}`)
    }
    if (answer.unknown.length > 0) yield* Console.log(`named, and not there: ${answer.unknown.join(", ")}`)
  }).pipe(Effect.scoped)

const command = Command.make("retrieve", flags, (options) =>
  Effect.andThen(
    folderOf(options),
    program(options).pipe(
      Effect.provide(Layer.merge(families.pipe(Layer.provideMerge(machine(options))), Sqlite.layer(options.index))),
    ),
  )).pipe(Command.withDescription("Answers questions from documents, with sources"))

if (import.meta.main) main(command)
