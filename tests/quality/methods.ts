/**
 * `deno task quality:methods [key=value ...]`: each method on the included model and the SMS data: held-out accuracy and
 * macro-F1 as means of seeds, trained parameters, seconds and bytes of the saved files, beside the head alone and the whole
 * model, after one pass. Prints a Markdown table. One learning rate for all but the whole model; none was tuned.
 * BitFit is not among them: this model has no biases.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Plugins, Task, Trainer } from "@espalier/espalier"
import * as Adapters from "@espalier/espalier/adapters"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as PrefixTuning from "@espalier/espalier/prefix-tuning"
import * as PromptTuning from "@espalier/espalier/prompt-tuning"
import * as IA3 from "../../examples/third_party/ia3.ts"

const settings: Record<string, number> = { seeds: 3, epochs: 1, batchSize: 16, learningRate: 3e-3, whole: 3e-4 }
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (!(name in settings) || !(Number(value) > 0)) throw new Error(`Expected NAME=NUMBER, got "${argument}"`)
  settings[name] = Number(value)
}
const { seeds, epochs, batchSize, learningRate, whole } = settings

type Method = Layer.Layer<never, unknown, Plugins.Plugins>
const HeadOnly = Context.Service<"head", null>("head")
/** Trains the classification head and nothing else. */
const headOnly = Plugins.plugin(
  HeadOnly,
  Effect.succeed([null, { id: "head/only", trains: ({ outputHead }) => outputHead }] as const),
)
const targetModules = ["q_proj", "v_proj"]
const lora = { r: 8, loraAlpha: 16, targetModules }
const tokens = 8
const methods: Readonly<Record<string, unknown>> = {
  "the head alone": headOnly,
  "the whole model": Layer.empty,
  "LoRA": Lora.layer(lora),
  "LoRA+ (ratio 4)": Lora.layer({ ...lora, loraPlusLrRatio: 4 }),
  "DoRA": Lora.layer({ ...lora, useDora: true }),
  "PiSSA": Lora.layer({ ...lora, initLoraWeights: "pissa" }),
  "OLoRA": Lora.layer({ ...lora, initLoraWeights: "olora" }),
  "adapters `seq_bn`": Adapters.layer({ config: "seq_bn" }),
  "adapters `double_seq_bn`": Adapters.layer({ config: "double_seq_bn" }),
  "adapters `par_bn`": Adapters.layer({ config: "par_bn" }),
  "prefix tuning": PrefixTuning.layer({ numVirtualTokens: tokens }),
  "prefix tuning, projected": PrefixTuning.layer({ numVirtualTokens: tokens, prefixProjection: true }),
  "prompt tuning": PromptTuning.layer({ numVirtualTokens: tokens }),
  "P-tuning": PromptTuning.layer({ numVirtualTokens: tokens, encoderReparameterizationType: "MLP" }),
  "IA3 (`examples/third_party`)": IA3.layer(),
}

const sizeOf = (directory: string): number =>
  Array.from(Deno.readDirSync(directory)).reduce(
    (sum, { name, isFile }) =>
      sum + (isFile ? Deno.statSync(`${directory}/${name}`).size : sizeOf(`${directory}/${name}`)),
    0,
  )

const once = (name: string, seed: number) =>
  Effect.gen(function* () {
    const data = yield* Dataset.tsv("examples/data/sms_spam.tsv", { text: "SMS", label: "Label" }).pipe(
      Dataset.split({ validation: 0.1, test: 0.2, seed }),
    )
    const model = yield* Model.load("examples/models/espalier-1m", { task: Task.classification(data.labels), seed })
    const run = yield* Trainer.fit(model, data, {
      epochs,
      batchSize,
      learningRate: name === "the whole model" ? whole : learningRate,
      maxLength: 128,
      seed,
      warmupRatio: 0.06,
      earlyStopping: { metric: "macroF1" },
    })
    const { metrics } = yield* Trainer.evaluate(run.model, data.test, { maxLength: 128 })
    const directory = Deno.makeTempDirSync()
    // The head alone has no format of its own: what it trains is what all the others save beside their parts.
    const bytes = name === "the head alone" ? 0 : yield* run.save(directory).pipe(Effect.map(() => sizeOf(directory)))
    Deno.removeSync(directory, { recursive: true })
    return { ...metrics, seconds: run.seconds, parameters: run.trainableParameters, bytes }
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(methods[name] as Method, Llama.layer).pipe(Layer.provideMerge(Espalier.layer)), {
      local: true,
    }),
  ) as Effect.Effect<Record<"accuracy" | "macroF1" | "seconds" | "parameters" | "bytes", number>>

const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length
console.log(`| method | accuracy | macro-F1 | trained parameters | seconds | saved bytes |`)
console.log(`| --- | --- | --- | --- | --- | --- |`)
for (const name of Object.keys(methods)) {
  const results: Array<Effect.Success<ReturnType<typeof once>>> = []
  for (let seed = 1; seed <= seeds; seed++) results.push(await Effect.runPromise(once(name, seed)))
  const spread = (of: "accuracy" | "macroF1") => {
    const values = results.map((result) => result[of])
    return `${mean(values).toFixed(3)} (${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)})`
  }
  const [{ parameters, bytes }] = results
  const cells = [
    name,
    spread("accuracy"),
    spread("macroF1"),
    parameters.toLocaleString("en"),
    mean(results.map(({ seconds }) => seconds)).toFixed(0),
    bytes === 0 ? "" : bytes.toLocaleString("en"),
  ]
  console.log(`| ${cells.join(" | ")} |`)
}
