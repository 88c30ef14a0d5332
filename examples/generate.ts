/**
 * Chats with a model and adapters, or continues a prompt; the text comes as it is made.
 *
 * ```sh
 * deno task generate --model ./smollm2 --adapter runs/qa/adapter
 * deno task generate --model ./smollm2.gguf --prompt "Why is the sky blue?"
 * deno task generate --model hf:HuggingFaceTB/SmolLM2-135M-Instruct
 * ```
 *
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Command from "effect/cli/Command"
import { generateStream } from "../core/inference/text/generate_stream.ts"
import { endTokens } from "../core/inference/text/end_tokens.ts"
import { field } from "../core/options/mod.ts"
import { MODEL } from "../core/run/mod.ts"
import { DataError, Model, type Plugins, Task, Tokenizer } from "../mod.ts"
import * as Adapters from "../plugins/adapters/mod.ts"
import * as Chat from "../plugins/chat/mod.ts"
import * as Hub from "../plugins/hub/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as PrefixTuning from "../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../plugins/prompt_tuning/mod.ts"
import * as QaLora from "../plugins/qa_lora/mod.ts"
import * as Quantization from "../plugins/quantization/mod.ts"
import { families } from "../plugins/all/mod.ts"
import { machine } from "./machine.ts"
import { beside, defined, flagsOf, main, RUN_FLAGS } from "./shared.ts"

const TABLE = {
  model: field.text({
    absent: "the base of an adapter from a hub, else the included one",
    doc: "Directory, GGUF file, or hf:owner/name",
  }),
  weights: MODEL.weights,
  adapter: field.list(field.text({}), { absent: "none", doc: "Directories of adapters, or names on a hub, all on" }),
  prompt: field.text({ absent: "a chat, line by line", doc: "Answer this and end" }),
  system: field.text({ absent: "none", doc: "System message of a chat" }),
  plain: field.boolean({ default: false, doc: "Continue prompts as they are, without the model's chat template" }),
  maxNewTokens: field.integer({ minimum: 1, default: 256, doc: "Most tokens of an answer" }),
  temperature: field.number({ minimum: 0, default: 0, doc: "0 takes the likeliest token" }),
  topK: field.integer({ minimum: 1, absent: "all", doc: "Draw from this many of the likeliest tokens" }),
  topP: field.number({
    exclusiveMinimum: 0,
    maximum: 1,
    absent: "1",
    doc: "Draw from the likeliest with this probability together",
  }),
  repetitionPenalty: field.number({ exclusiveMinimum: 0, default: 1, doc: "Above 1 for fewer repetitions" }),
  seed: field.integer({ minimum: 0, default: 0, doc: "Seed of the draws" }),
  threads: RUN_FLAGS.threads,
}
const flags = flagsOf(TABLE)

/** Values of the flags. */
type Options = Command.Command.Config.Infer<typeof flags>

type AdapterLayer = Layer.Layer<never, Error, Plugins.Plugins | FileSystem.FileSystem>

/** Methods by the `peft_type` of adapter_config.json. */
const METHODS: Readonly<Record<string, (directory: string, name: string) => AdapterLayer>> = {
  LORA: Lora.fromPeft,
  PREFIX_TUNING: PrefixTuning.fromPeft,
  PROMPT_TUNING: PromptTuning.fromPeft,
  P_TUNING: PromptTuning.fromPeft,
}

/** QA-LoRA over a base in Q4_1, as `examples/qa_lora.ts` trains it. */
const qaLora = (directory: string, name: string): AdapterLayer =>
  QaLora.fromPeft(directory, name).pipe(Layer.provide(Quantization.layer({ format: "q4_1" })))

/** The layer of an adapter; the first has the name `default`, further ones that of their folder. */
const adapterLayer = (path: string, isFirst: boolean): AdapterLayer =>
  Layer.unwrap(Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = path.replace(/\/+$/, "")
    const file = `${directory}/adapter_config.json`
    const failed = (why: string) => new DataError({ reason: "BadInput", message: `${file}: ${why}` })
    const text = yield* fs.readFileString(file).pipe(Effect.mapError(({ message }) => failed(message)))
    const { peft_type: kind, use_qalora: inGroups } = yield* Effect.try({
      try: () => JSON.parse(text),
      catch: () => failed("not JSON"),
    })
    if (kind === undefined) return Adapters.fromAdapterHub(directory)
    if (!Object.hasOwn(METHODS, kind)) {
      return yield* failed(`peft_type must be one of ${Object.keys(METHODS).join(", ")}, got ${JSON.stringify(kind)}`)
    }
    // A name is that of a folder within a directory.
    const cut = directory.lastIndexOf("/"), from = inGroups === true ? qaLora : METHODS[kind]
    return isFirst
      ? from(directory, "default")
      : from(directory.slice(0, Math.max(cut, 0)) || ".", directory.slice(cut + 1))
  }))

/** Lines of the standard input, with a prompt on a terminal. */
async function* lines() {
  const isTerminal = Deno.stdin.isTerminal()
  const ask = () => void (isTerminal && write("> "))
  let rest = ""
  ask()
  for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + piece).split(/\r?\n/)
    rest = parts.pop()!
    for (const line of parts) {
      if (line.trim() !== "") yield line
      ask()
    }
  }
  if (rest.trim() !== "") yield rest
}

const encoder = new TextEncoder()
const write = (text: string) => void Deno.stdout.writeSync(encoder.encode(text))

const orPlain = (error: DataError) =>
  new DataError({ ...error, message: `${error.message}; --plain continues prompts as they are` })

/** A model that answers prompts, each by its own, or by the chat so far. */
const chatWith = (
  {
    model,
    adapter: [first = ""] = [],
    weights,
    system,
    plain,
    maxNewTokens,
    temperature,
    topK,
    topP,
    repetitionPenalty,
    seed,
  }: Options,
) =>
  Effect.gen(function* () {
    const path = model ?? (first.startsWith("hf:") ? yield* Hub.baseModel(first) : beside("./models/espalier-1m"))
    const loaded = yield* Model.load(path, { task: Task.causalLM(), weights, frozen: true })
    const tokenizer = yield* Tokenizer.loadTokenizer(path)
    const template = plain ? undefined : yield* Chat.find(path).pipe(Effect.mapError(orPlain))
    const stop = [
      ...yield* endTokens(loaded, tokenizer),
      ...template === undefined ? [] : Chat.endOf(template, tokenizer),
    ]
    for (const note of [...loaded.notes, ...template?.notes ?? []]) yield* Console.error(`note: ${note}`)
    const messages: Chat.Message[] = system === undefined ? [] : [{ role: "system", content: system }]
    return (text: string) =>
      Effect.gen(function* () {
        messages.push({ role: "user", content: text })
        // A template writes the special tokens itself.
        const prompt = template === undefined
          ? tokenizer.encode(text)
          : tokenizer.encode(yield* Chat.promptOf(template, messages).pipe(Effect.mapError(orPlain)), {
            addSpecialTokens: false,
          })
        const room = loaded.network.maxPositions - prompt.length
        const options = { temperature, repetitionPenalty, seed, ...defined({ topK, topP }), tokenizer, stop }
        let answer = ""
        yield* generateStream(loaded, prompt, { ...options, maxNewTokens: Math.max(1, Math.min(maxNewTokens, room)) })
          .pipe(
            Stream.runForEach((piece) => Effect.sync(() => (answer += piece, write(piece)))),
          )
        write("\n")
        messages.push({ role: "assistant", content: answer })
      })
  })

const command = Command.make("generate", flags, (options) => {
  const base = machine(options)
  const adapters = (options.adapter ?? []).map((path, i) => adapterLayer(path, i === 0))
  const methods = Layer.mergeAll(families, ...adapters).pipe(Layer.provideMerge(base))
  return Effect.gen(function* () {
    const answer = yield* chatWith(options)
    if (options.prompt !== undefined) return yield* answer(options.prompt)
    yield* Stream.runForEach(Stream.fromAsyncIterable(lines(), String), answer)
  }).pipe(Effect.scoped, Effect.provide(methods))
}).pipe(
  Command.withDescription("Chats with a model and adapters, or continues a prompt"),
  Command.withExamples([{
    command: 'deno task generate --model ./smollm2 --adapter runs/qa/adapter --prompt "Why is the sky blue?"',
    description: "One answer",
  }]),
)

if (import.meta.main) main(command)
