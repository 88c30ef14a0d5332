/**
 * `deno task quality:quantized gsm8k=PATH [methods=qa-lora,lora,qlora] [key=value ...]`: what 4 bits keep of a fine-tuning.
 * SmolLM2-135M in Q4_1 learns GSM8K: by QA-LoRA, merged into the offsets of a Q4_1 file; by LoRA, merged and quantized anew; by
 * QLoRA over NF4, unmerged. Prints a Markdown table: loss on held-out rows, the gain over the base and how much of it the file
 * keeps, and at how many positions llama.cpp finds the same next token likeliest as Espalier, given the same tokens before.
 * Fails when the file of QA-LoRA is another model than the one that was trained. Nothing was tuned.
 *
 * Needs llama.cpp (see ../conformance/quantized/llama_cpp.ts), and GSM8K as JSON Lines (`question`, `answer`).
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, type Plugins, Task, Tokenizer, Trainer } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as QaLora from "@espalier/espalier/qa-lora"
import * as QLora from "@espalier/espalier/qlora"
import * as Quantization from "@espalier/espalier/quantization"
import { answersOf } from "../../core/model/save/check/self_check.ts"
import { workspace } from "../conformance/environment.ts"
import { FLAG, llamaCpp } from "../conformance/quantized/llama_cpp.ts"

const numbers: Record<string, number> = {
  steps: 200,
  test: 200,
  positions: 500,
  batchSize: 4,
  maxLength: 256,
  /** Longest row. */
  characters: 500,
  learningRate: 5e-4,
  r: 16,
  loraAlpha: 16,
  seed: 1,
}
const words: Record<string, string> = { gsm8k: "", methods: "qa-lora,lora,qlora" }
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (name in words) words[name] = value
  else if (name in numbers && Number(value) > 0) numbers[name] = Number(value)
  else throw new Error(`Expected NAME=NUMBER, gsm8k=PATH or methods=NAMES, got "${argument}"`)
}
if (words.gsm8k === "") throw new Error("Say where the data of GSM8K lies: gsm8k=PATH")
const { steps, test, positions, batchSize, maxLength, characters, learningRate, r, loraAlpha, seed } = numbers

const tools = await llamaCpp()
if (tools === undefined) throw new Error(`llama.cpp is the judge: set ${FLAG}`)
const directory = `${workspace}/quantized`
await Deno.mkdir(directory, { recursive: true })

type Methods = Layer.Layer<never, unknown, Plugins.Plugins>
const adapter = { r, loraAlpha, targetModules: "all-linear" } as const
const own = <A>(method: A, base: unknown): Methods => Layer.provide(method as never, base as never) as Methods
/** How each method trains, and what its merged model is written in; none where it stays beside the base. */
const methods: Readonly<Record<string, { readonly layer: unknown; readonly type?: "stored" | "Q4_1" }>> = {
  "qa-lora": { layer: own(QaLora.layer(adapter), Quantization.fromCheckpoint({ groups: true })), type: "stored" },
  "lora": { layer: Lora.layer(adapter), type: "Q4_1" },
  "qlora": { layer: own(QLora.layer(adapter), Quantization.layer({ format: "nf4" })) },
}
const names = words.methods.split(",")
const stranger = names.find((name) => !(name in methods))
if (stranger !== undefined) throw new Error(`There are ${Object.keys(methods).join(", ")}, not "${stranger}"`)

const provided = <A>(program: Effect.Effect<A, unknown, unknown>, layer: unknown = Layer.empty): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(program).pipe(
      Effect.provide(Layer.merge(layer as Methods, Llama.layer).pipe(Layer.provideMerge(Espalier.layer)), {
        local: true,
      }),
    ) as Effect.Effect<A>,
  )

const data = await provided(
  Dataset.file(words.gsm8k, { prompt: "question", completion: "answer" }).pipe(
    Effect.map((all) => ({
      ...all,
      rows: all.rows.filter(({ prompt, completion }) => prompt.length + completion.length <= characters),
    })),
    Dataset.split({ validation: 0, test: 0.1, seed }),
    Effect.map(({ train, test: held }) => ({ train, test: { ...held, rows: held.rows.slice(0, test) } })),
  ),
)

/** Held-out rows as token ids, until there are positions enough. */
const texts = await provided(Effect.gen(function* () {
  const tokenizer = yield* Tokenizer.loadTokenizer(tools.model)
  const found: Array<Int32Array> = []
  for (const { prompt, completion } of data.test.rows) {
    const sum = found.reduce((all, { length }) => all + length, 0)
    if (sum >= positions) break
    found.push(Int32Array.from(tokenizer.encode(`${prompt}\n${completion}`)).slice(0, positions - sum))
  }
  return found
}))

/** The likeliest token after each token of the texts. */
const likeliestOf = (model: Model.Model) =>
  Effect.map(answersOf(model, texts), (answers) =>
    answers.flatMap((logits) => {
      const width = model.network.vocabSize
      return Array.from({ length: logits.length / width }, (_, at) => {
        const row = logits.subarray(at * width, (at + 1) * width)
        return row.reduce((best, value, id) => value > row[best] ? id : best, 0)
      })
    }))
const lossOf = (model: Model.Model) =>
  Effect.map(Trainer.evaluate(model, data.test, { maxLength }), ({ metrics }) => metrics.loss)

/** What a file is worth, read alone. */
interface Judged {
  readonly loss: number
  /** Share of positions at which llama.cpp agrees. */
  readonly agreement: number
  readonly bytes: number
}
const judged = async (file: string): Promise<Judged> => {
  const { loss, likeliest } = await provided(Effect.gen(function* () {
    const model = yield* Model.load(file, { task: Task.causalLM(), frozen: true })
    return { loss: yield* lossOf(model), likeliest: yield* likeliestOf(model) }
  }))
  const [given, answer] = [`${directory}/texts.json`, `${directory}/scores.json`]
  await Deno.writeTextFile(given, JSON.stringify({ texts: texts.map((ids) => [...ids]) }))
  await tools.judge("score", file, given, answer)
  const scores: { readonly likeliest: ReadonlyArray<ReadonlyArray<number>> } = JSON.parse(
    await Deno.readTextFile(answer),
  )
  const theirs = scores.likeliest.flat()
  const agreement = theirs.filter((id, at) => id === likeliest[at]).length / theirs.length
  return { loss, agreement, bytes: (await Deno.stat(file)).size }
}

/** What came of a method. */
interface Trained {
  readonly loss: number
  readonly seconds: number
  readonly file?: string
  /** Largest difference of two logits between the file and the model in memory. */
  readonly logits?: number
}
const train = (name: string): Promise<Trained> => {
  const { layer, type } = methods[name]
  return provided(
    Effect.gen(function* () {
      const model = yield* Model.load(tools.model, { task: Task.causalLM(), seed })
      const run = yield* Trainer.fit(model, { train: data.train }, {
        ...{ maxSteps: steps, batchSize, learningRate, maxLength, seed, warmupRatio: 0.03, evaluateEvery: "never" },
      })
      const trained = { loss: yield* lossOf(model), seconds: run.seconds }
      if (type === undefined) return trained
      const file = `${directory}/${name}.gguf`
      const prompts = data.test.rows.slice(0, 8).map(({ prompt, completion }) => `${prompt}\n${completion}`)
      const { check } = yield* Model.saveGguf(model, file, { type, force: true, check: { prompts } })
      return { ...trained, file, logits: check!.logits }
    }),
    layer,
  )
}

const base = await judged(tools.model)
console.error(`base: ${JSON.stringify(base)}`)
const found = new Map<string, { readonly trained: Trained; readonly merged?: Judged }>()
for (const name of names) {
  const trained = await train(name)
  console.error(`${name}: ${JSON.stringify(trained)}`)
  const merged = trained.file === undefined ? undefined : await judged(trained.file)
  console.error(`${name}, merged: ${JSON.stringify(merged)}`)
  found.set(name, { trained, ...merged === undefined ? {} : { merged } })
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const row = (...cells: ReadonlyArray<string | undefined>) =>
  console.log(`| ${cells.map((one) => one ?? "").join(" | ")} |`)
row("model", "held-out loss", "gain", "gain kept", "largest difference of logits", "llama.cpp agrees", "MB", "seconds")
row("---", ...Array.from({ length: 7 }, () => "---:"))
row("the base, Q4_1", base.loss.toFixed(4), "", "", "", percent(base.agreement), (base.bytes / 1e6).toFixed(1), "")
for (const [name, { trained, merged }] of found) {
  const gain = base.loss - trained.loss
  row(`${name}, unmerged`, trained.loss.toFixed(4), gain.toFixed(4), "", "", "", "", trained.seconds.toFixed(0))
  if (merged === undefined) continue
  const kept = base.loss - merged.loss
  row(
    `${name}, merged into ${methods[name].type === "stored" ? "the file's offsets" : "weights, quantized to Q4_1"}`,
    merged.loss.toFixed(4),
    kept.toFixed(4),
    percent(kept / gain),
    trained.logits!.toPrecision(3),
    percent(merged.agreement),
    (merged.bytes / 1e6).toFixed(1),
  )
}

const exact = found.get("qa-lora")
if (exact?.merged !== undefined) {
  const { trained, merged } = exact
  const faults = [
    ...Math.abs(merged.loss - trained.loss) <= 1e-3 ? [] : ["its loss is another one"],
    ...base.loss - merged.loss >= 0.95 * (base.loss - trained.loss) ? [] : ["less than 95 % of the gain is kept"],
    ...merged.agreement >= base.agreement - 0.005 ? [] : ["llama.cpp agrees less than on the base"],
  ]
  if (faults.length > 0) {
    console.error(`the merged file of QA-LoRA: ${faults.join("; ")}`)
    Deno.exit(1)
  }
}
