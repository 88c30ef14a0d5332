import * as Effect from "effect/Effect"
import type { BankContext, BankMethod } from "../../../core/contracts/bank/bank_method.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import { pluginError } from "../../../core/contracts/plugin_error.ts"
import type { Site, SitePlan } from "../../../core/contracts/site.ts"
import { linearByRow, productByRow } from "../../../core/model/sites/by_row.ts"
import type { OptionTable } from "../../../core/options/field.ts"
import { withDefaults } from "../../../core/options/check.ts"
import * as field from "../../../core/options/fields.ts"
import { checkOptions } from "../../../core/options/method_options.ts"
import { isHeldWhole } from "../../peft_names/mod.ts"
import { A, B } from "../low_rank.ts"
import { OPTIONS as LORA, resolveOptions } from "../options.ts"
import { targetRule, wantedRule } from "../targets.ts"

/** Options of a bank of LoRA adapters. */
export interface LoraBankOptions {
  /** Adapters that the backend's memory holds at once. Default 8. */
  readonly slots?: number
  /** The greatest rank of an adapter. Every row costs as much as this rank. Default 16. */
  readonly rank?: number
  /**
   * Which Linear modules adapters may change, by the rules of `targetModules`. An adapter may change fewer; every row costs
   * as much as all of these. Default: what is usual for the model's family.
   */
  readonly targets?: string | ReadonlyArray<string>
  /**
   * Names of the base model that an adapter's config may give (`base_model_name_or_path`); others are refused. Default: of a
   * model from a hub its name, of one from a folder any.
   */
  readonly base?: ReadonlyArray<string>
}

/** {@link LoraBankOptions} as a table. */
export const BANK_OPTIONS: OptionTable<LoraBankOptions, "targets" | "base"> = {
  slots: field.integer({ minimum: 1, default: 8, doc: "Adapters that memory holds at once" }),
  rank: field.integer({ minimum: 1, default: 16, doc: "The greatest rank of an adapter" }),
  targets: LORA.targetModules,
  base: field.list(field.text({}), { absent: "any", doc: "Names of the base model that adapters may give" }),
}

/**
 * A bank of LoRA adapters, for `Model.withAdapters` and the option `adapters` of `Model.engine`: PEFT's or from here, of any
 * rank up to the bank's, with rsLoRA, `rankPattern` and `alphaPattern`, and with a classifier's head of their own. Not of
 * DoRA, with trained biases, or with trained embeddings. Throws PluginError on options that make no sense.
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
  checkOptions(id, BANK_OPTIONS, options)
  const { slots, rank, targets, base } = withDefaults(BANK_OPTIONS, options)
  return {
    id,
    slots,
    sites: (model) => sitesOf(id, rank, targets, model),
    read: (name, files, wanted, model) =>
      Effect.flatMap(
        Effect.promise(() => import("./read_adapter.ts")),
        ({ readForBank }) => readForBank({ name, files, wanted, model, rank, base }),
      ),
  }
}

function sitesOf(
  id: string,
  rank: number,
  targets: LoraBankOptions["targets"],
  { modules, head }: BankContext,
): ReadonlyArray<Site> {
  const options = resolveOptions({ r: rank, ...(targets === undefined ? {} : { targetModules: targets }) })
  const isTarget = targetRule(options)
  const adapt: Site = {
    select: targets ?? wantedRule(options),
    exclude: (module) => !isTarget(module) || isHeldWhole(module, head),
    plan: (module) => lowRank(id, rank, module),
  }
  const whole: Site = { select: (module) => isHeldWhole(module, head), plan: linearByRow }
  return modules.some((module) => isHeldWhole(module, head)) ? [adapt, whole] : [adapt]
}

/** The update, scaled already: B A x. */
function lowRank(id: string, rank: number, { path, kind, sizes }: ModuleInfo): SitePlan {
  if (kind !== "Linear") {
    throw pluginError(id, `a bank adapts Linear modules; "${path}" is ${kind}: leave it out of targets`)
  }
  return {
    place: "delta",
    parameters: {
      [A]: { shape: [rank, sizes.inFeatures], initializer: { kind: "zeros" } },
      [B]: { shape: [sizes.outFeatures, rank], initializer: { kind: "zeros" } },
    },
    forward: ({ parameter }, x) => productByRow(productByRow(x, parameter(A)), parameter(B)),
  }
}
