import * as Effect from "effect/Effect"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { BankMethod } from "../../../core/contracts/bank/bank_method.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { type LoraBankOptions, SLOTS } from "./bank_options.ts"

/**
 * A bank of LoRA adapters, for `Model.withAdapters` and the option `adapters` of `Model.engine`: PEFT's or from here, of any
 * rank up to the bank's, with rsLoRA, `rankPattern` and `alphaPattern`, with DoRA where the option `dora` is on, and with a
 * classifier's head of their own. Not with trained biases or embeddings. What opens it fails with PluginError on options that
 * make no sense.
 *
 * @example Classifiers with heads of their own.
 *
 * ```ts
 * import { type Data, Model, Task, Trainer } from "@espalier/espalier"
 * import * as Lora from "@espalier/espalier/lora"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const task = Task.classification(["a", "b", "c", "d"]) // the most classes that a head has
 *   const trunk = yield* Model.load("./minilm", { task, frozen: true })
 *   const model = yield* Model.withAdapters(trunk, Lora.bank({ slots: 16, rank: 8 }))
 *   yield* model.bank.load("spam", "./adapters/spam", { labels: ["ham", "spam"] })
 *   yield* model.bank.load("news", "./adapters/news")
 *   return yield* Trainer.predict(model, ["Win a prize", "Shares fall"], { adapters: ["spam", "news"] })
 * })
 * ```
 */
export function bank(options: LoraBankOptions = {}): BankMethod {
  const id = "lora"
  return {
    id,
    slots: options.slots ?? SLOTS,
    sites: (model) =>
      Effect.flatMap(
        Effect.promise(() => import("./bank_sites.ts")),
        ({ sitesOf }) => attempt(() => sitesOf(id, options, model), PluginError),
      ),
    read: (name, files, wanted, model) =>
      Effect.flatMap(
        Effect.promise(() => import("./read_adapter.ts")),
        ({ readForBank }) => readForBank({ name, files, wanted, model, options }),
      ),
  }
}
