/**
 * A short training with IA3 and LoRA together: `deno task train --model <directory> --data <file.tsv>`.
 * @module
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as IA3 from "./ia3.ts"

const flag = (name: string, usual: string) => {
  const at = Deno.args.indexOf(`--${name}`)
  return at < 0 ? usual : Deno.args[at + 1]
}

const program = Effect.gen(function* () {
  const data = yield* Dataset.file(flag("data", "../data/sms_spam.tsv"), { text: "SMS", label: "Label" }).pipe(
    Dataset.split({ validation: 0.1, test: 0.1, seed: 7 }),
  )
  const model = yield* Model.load(flag("model", "../models/espalier-1m"), { task: Task.classification(data.labels) })
  const judge = Effect.map(Trainer.evaluate(model, data.test, { maxLength: 64 }), ({ metrics }) => metrics.loss)
  const before = yield* judge
  const run = yield* Trainer.fit(model, data, {
    maxSteps: Number(flag("steps", "40")),
    learningRate: 5e-3,
    maxLength: 64,
  })
  const after = yield* judge
  yield* run.save(flag("output", "runs/ia3"))
  yield* Console.log(`loss on the test rows: ${before.toFixed(4)} before, ${after.toFixed(4)} after`)
  if (!(after < before)) return yield* Effect.die(new Error("nothing was learned"))
})

const Methods = Layer.mergeAll(IA3.layer(), Lora.layer({ r: 4, loraAlpha: 8 }), Bert.layer, Llama.layer)

if (import.meta.main) {
  await Effect.runPromise(
    program.pipe(Effect.scoped, Effect.provide(Methods.pipe(Layer.provideMerge(Espalier.layer)))),
  )
}
