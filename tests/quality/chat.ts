/**
 * `deno task quality:chat model=PATH gsm8k=PATH [key=value ...]`: a chat model learns GSM8K as messages by LoRA, answers alone, beside
 * TRL's SFTTrainer: the same weights (also those that LoRA begins with), rows, order and settings. TRL needs the model's template with
 * marks around answers (template=PATH, default: SmolLM2's); here answers are found without. Prints a Markdown table: loss of held-out
 * answers before and after, and how far the losses of single steps lie apart. Fails when a loss of held-out answers is more than 0.5 %
 * from TRL's.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Plugins, Task, Trainer } from "@espalier/espalier"
import * as Chat from "@espalier/espalier/chat"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import { makeMicroBatch } from "@espalier/espalier/plugin"
import type { BatchSource } from "../../core/contracts/batch_source.ts"
import { makeRng } from "../../core/tensor/operations/random.ts"
import { environments, execute, oncePinned, pythonEnvironment, workspace } from "../conformance/environment.ts"

const numbers: Record<string, number> = {
  steps: 40,
  batchSize: 2,
  accumulation: 2,
  held: 100,
  maxLength: 512,
  learningRate: 5e-4,
  warmupSteps: 4,
  weightDecay: 0.01,
  r: 8,
  loraAlpha: 16,
  seed: 1,
}
const template = new URL("../fixtures/chat/templates/smollm2_training.jinja", import.meta.url)
const paths: Record<string, string> = { model: "", gsm8k: "", template: decodeURIComponent(template.pathname) }
for (const argument of Deno.args) {
  const [, name, value] = /^(\w+)=(.*)$/.exec(argument) ?? []
  if (name in paths) paths[name] = value
  else if (name in numbers && Number(value) > 0) numbers[name] = Number(value)
  else throw new Error(`Expected ${Object.keys(paths).join("=, ")}= or NAME=NUMBER, got "${argument}"`)
}
if (paths.model === "" || paths.gsm8k === "") throw new Error("Say where model and data lie: model=PATH gsm8k=PATH")
const { steps, batchSize, accumulation, held, maxLength, learningRate, warmupSteps, weightDecay, seed } = numbers

/** What came of a training; losses are means over the tokens of answers. */
interface Result {
  readonly before: number
  readonly after: number
  /** Of each step, before its update. */
  readonly steps: ReadonlyArray<number>
}

const inOrder = (next: BatchSource): BatchSource => {
  const [[task, lengths]] = Object.entries(next.tasks)
  const microBatch = (first: number) => {
    const rows = Array.from({ length: batchSize }, (_, i) => first + i)
    return makeMicroBatch(task, rows, lengths, { batchSize, maxLength })
  }
  const first = (step: number) => step * batchSize * accumulation
  return {
    ...next,
    next: ({ step }) =>
      Effect.succeed({
        microBatches: Array.from({ length: accumulation }, (_, i) => microBatch(first(step) + i * batchSize)),
      }),
  }
}
/** Draws rows in the order of the data. */
const order = Layer.effectDiscard(
  Effect.flatMap(
    Plugins.Plugins,
    ({ register }) => register({ id: "in-order/default", batches: inOrder }),
  ),
)
const lora = Lora.layer({ r: numbers.r, loraAlpha: numbers.loraAlpha, targetModules: "all-linear" })

const provided = <A>(program: Effect.Effect<A, unknown, unknown>, methods: unknown = Layer.empty): Promise<A> =>
  Effect.runPromise(
    program.pipe(
      Effect.scoped,
      Effect.provide(
        Layer.merge(methods as Layer.Layer<never, unknown, Plugins.Plugins>, Llama.layer).pipe(
          Layer.provideMerge(Espalier.layer),
        ),
        { local: true },
      ),
    ) as Effect.Effect<A>,
  )

const directory = `${workspace}/quality_chat`
await Deno.remove(directory, { recursive: true }).catch(() => {})
await Deno.mkdir(directory, { recursive: true })
const base = `${directory}/base`, adapter = `${directory}/adapter`
const places = { directory, base, adapter, template: paths.template }

// Both sides load the same floats, whatever the model came as.
await provided(Effect.gen(function* () {
  const model = yield* Model.load(paths.model, { task: Task.causalLM(), frozen: true })
  yield* Model.saveCheckpoint(model, base)
}))

const chats = makeRng(seed).shuffle((await Deno.readTextFile(paths.gsm8k)).trim().split("\n")).map((line) => {
  const { question, answer } = JSON.parse(line)
  return { messages: [{ role: "user", content: question }, { role: "assistant", content: answer }] }
})
const test = chats.slice(0, held), train = chats.slice(held, held + steps * batchSize * accumulation)

const ours: Result = await provided(
  Effect.gen(function* () {
    const columns = Chat.columns(yield* Chat.load(base))
    const data = yield* Effect.all({ train: Dataset.rows(train, columns), test: Dataset.rows(test, columns) })
    const model = yield* Model.load(base, { task: Task.causalLM(), seed })
    yield* Model.saveAdapters(model, adapter)
    const loss = Effect.map(
      Trainer.evaluate(model, data.test, { maxLength, batchSize: 4 }),
      ({ metrics }) => metrics.loss,
    )
    const before = yield* loss
    const losses: Array<number> = []
    yield* Trainer.fit(model, { train: data.train }, {
      epochs: 1,
      batchSize,
      gradientAccumulationSteps: accumulation,
      learningRate,
      warmupSteps,
      weightDecay,
      maxLength,
      observe: (event) =>
        Effect.sync(() => {
          if (event.type === "step") losses.push(event.loss)
        }),
    })
    return { before, after: yield* loss, steps: losses }
  }),
  Layer.mergeAll(lora, order),
)
console.error(`Espalier: ${JSON.stringify(ours)}`)

const environment = environments[1]
const python = await pythonEnvironment(environment)
await oncePinned(`${workspace}/${environment.directory}`, "../quality/trl.txt", async () => {
  const pins = decodeURIComponent(new URL("trl.txt", import.meta.url).pathname)
  await execute(python, ["-m", "pip", "install", "--quiet", "-r", pins], "inherit")
})
const file = `${directory}/settings.json`
await Deno.writeTextFile(
  file,
  JSON.stringify({ ...numbers, ...places, threads: navigator.hardwareConcurrency, train, test }),
)
const script = decodeURIComponent(new URL("chat.py", import.meta.url).pathname)
const theirs: Result = JSON.parse(await execute(python, ["-W", "ignore", script, file], "piped"))
console.error(`TRL: ${JSON.stringify(theirs)}`)
await Deno.remove(directory, { recursive: true })

const apart = (a: number, b: number) => Math.abs(a - b) / b
const percent = (share: number) => `${(100 * share).toPrecision(2)} %`
const columns = ["before", "after"] as const
console.log("|          | base   | after LoRA |\n| -------- | ------ | ---------- |")
for (const [name, result] of [["Espalier", ours], ["TRL", theirs]] as const) {
  console.log(`| ${[name, ...columns.map((one) => result[one].toFixed(4))].join(" | ")} |`)
}
const differences = columns.map((one) => apart(ours[one], theirs[one]))
console.log(`| apart | ${differences.map(percent).join(" | ")} |`)
const worst = Math.max(...ours.steps.map((loss, i) => apart(loss, theirs.steps[i])))
console.log(`\nLosses of ${steps} steps: at most ${percent(worst)} apart.`)
if (ours.steps.length !== theirs.steps.length || differences.some((one) => !(one <= 0.005))) {
  console.error("not what TRL computes")
  Deno.exit(1)
}
