import type { BankContext } from "../../../core/contracts/bank/bank_method.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import { pluginError } from "../../../core/contracts/plugin_error.ts"
import type { Site, SitePlan } from "../../../core/contracts/site.ts"
import { linearByRow, vectorByRow } from "../../../core/model/sites/linear_by_row.ts"
import { productByRow } from "../../../core/model/sites/product_by_row.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { withDefaults } from "../../../core/options/check.ts"
import type { OptionTable } from "../../../core/options/field.ts"
import * as field from "../../../core/options/fields.ts"
import { checkOptions } from "../../../core/options/method_options.ts"
import { isHeldWhole } from "../../peft_names/mod.ts"
import { A, B, MAGNITUDE } from "../low_rank.ts"
import { OPTIONS as LORA, resolveOptions } from "../options.ts"
import { targetRule, wantedRule } from "../targets.ts"
import { type LoraBankOptions, SLOTS } from "./bank_options.ts"

/** {@link LoraBankOptions} as a table. */
const OPTIONS: OptionTable<LoraBankOptions, "targets" | "base"> = {
  slots: field.integer({ minimum: 1, default: SLOTS }),
  rank: field.integer({ minimum: 1, default: 16 }),
  targets: LORA.targetModules,
  dora: field.boolean({ default: false }),
  base: field.list(field.text({}), {}),
}

/** Options, checked and with defaults filled in. Throws PluginError. */
export function resolveBank(
  id: string,
  options: LoraBankOptions,
): Required<Pick<LoraBankOptions, "rank" | "dora">> & LoraBankOptions {
  checkOptions(id, OPTIONS, options)
  return withDefaults(OPTIONS, options)
}

/** The sites of a bank. Throws PluginError. */
export function sitesOf(
  id: string,
  given: LoraBankOptions,
  { modules, head }: BankContext,
): ReadonlyArray<Site> {
  const { rank, targets, dora } = resolveBank(id, given)
  const options = resolveOptions({ r: rank, ...(targets === undefined ? {} : { targetModules: targets }) })
  const isTarget = targetRule(options)
  const adapt: Site = {
    select: targets ?? wantedRule(options),
    exclude: (module) => !isTarget(module) || isHeldWhole(module, head),
    plan: (module) => lowRank(id, rank, dora, module),
  }
  const whole: Site = { select: (module) => isHeldWhole(module, head), plan: linearByRow }
  return modules.some((module) => isHeldWhole(module, head)) ? [adapt, whole] : [adapt]
}

/**
 * The update, scaled already: B A x. With DoRA, u + f (W x + u), where u is that and f how much longer each row of W + B A
 * is made: nothing for a plain adapter.
 */
function lowRank(id: string, rank: number, dora: boolean, { path, kind, sizes }: ModuleInfo): SitePlan {
  if (kind !== "Linear") {
    throw pluginError(id, `a bank adapts Linear modules; "${path}" is ${kind}: leave it out of targets`)
  }
  return {
    place: "delta",
    parameters: {
      [A]: { shape: [rank, sizes.inFeatures], initializer: { kind: "zeros" } },
      [B]: { shape: [sizes.outFeatures, rank], initializer: { kind: "zeros" } },
      ...(dora ? { [MAGNITUDE]: { shape: [sizes.outFeatures], initializer: { kind: "zeros" } } } : {}),
    },
    forward: ({ parameter, base }, x) => {
      const update = productByRow(productByRow(x, parameter(A)), parameter(B))
      if (!dora) return update
      // The module's own product, once more in words; one and the same in the program.
      const whole = ops.add(ops.matmul(x, base("weight"), { transposeB: true }), update)
      return ops.add(update, ops.mul(whole, vectorByRow(parameter(MAGNITUDE), whole)))
    },
  }
}
