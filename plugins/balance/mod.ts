/**
 * A balance report: does a model treat rows alike that differ in the group of people that they speak of? Words of a group are
 * swapped for those of another (counterfactual evaluation: Kusner et al. 2017; Garg et al. 2019), and the metrics of rows that
 * speak of each group are compared; once before training and once after.
 *
 * ```ts
 * import { type Dataset, type Model, Trainer } from "@espalier/espalier"
 * import { balance, balanceSections } from "@espalier/espalier/balance"
 * import * as Effect from "effect/Effect"
 *
 * const axes = { age: { young: ["young", "girl", "boy"], old: ["old", "woman", "man"] } }
 *
 * export const audited = (model: Model.Model, { train, test }: Dataset.Splits<Dataset.LabeledData>) =>
 *   Effect.gen(function* () {
 *     const before = yield* balance(model, test, { axes })
 *     const run = yield* Trainer.fit(model, { train })
 *     return balanceSections(before, yield* balance(run.model, test, { axes }))
 *   })
 * ```
 *
 * @module
 */
export { balance, type BalanceOptions } from "./balance.ts"
export { AXES, type Axes, type Groups } from "./groups.ts"
export { balanceSections } from "./sections.ts"
export type { AxisBalance, Balance, GroupBalance, Swap } from "./measures.ts"
export type { EvaluateError, EvaluateOptions } from "../../core/training/evaluate.ts"
export type { JudgingOptions } from "../../core/training/judging_options.ts"
export type { Series } from "../../core/report/line_chart.ts"
export type { ReportSection } from "../../core/report/report_section.ts"
