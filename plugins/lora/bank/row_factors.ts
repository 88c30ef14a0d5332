/**
 * DoRA's lengths of rows, as a bank has them.
 * @module
 */
import * as Effect from "effect/Effect"
import type { BankContext, BankValues } from "../../../core/contracts/bank/bank_method.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { adapterFault } from "../../peft_format/mod.ts"
import { grouped } from "../grouped.ts"
import { MAGNITUDE, rowFactors } from "../low_rank.ts"

/**
 * Values with what lengths of rows add, m / |W + B A| - 1, in the stead of the lengths m. Fails with `AdapterError` where
 * a row has no length, and with the backend's errors.
 */
export function withRowFactors(
  name: string,
  found: BankValues,
  { parameter: base, evaluate }: BankContext,
): Effect.Effect<BankValues, Error> {
  const added: Record<string, Tensor> = {}
  for (const [module, values] of grouped(found.values, ({ parameter }) => parameter.module)) {
    const isDora = values.some(({ parameter }) => parameter.name === MAGNITUDE)
    // The bank says which of them is not finite.
    if (!isDora || !values.every(({ data }) => data.every(Number.isFinite))) continue
    const parameter = (name: string) => {
      const { data, parameter: { shape } } = values.find(({ parameter }) => parameter.name === name)!
      return ops.constant(data, shape)
    }
    added[module] = ops.sub(rowFactors(base(`${module}.weight`), { scale: 1, fromBase: false, parameter }), 1)
  }
  if (Object.keys(added).length === 0) return Effect.succeed(found)
  return Effect.gen(function* () {
    const factors = yield* evaluate(added)
    for (const [module, data] of Object.entries(factors)) {
      const row = data.findIndex((factor) => !Number.isFinite(factor))
      if (row < 0) continue
      const what = `row ${row} of "${module}.weight" with its update has the length 0, which DoRA divides by`
      return yield* Effect.fail(adapterFault(name, "Base", what))
    }
    const values = found.values.map((value) => {
      const { module, name } = value.parameter
      return name === MAGNITUDE ? { ...value, data: factors[module] ?? value.data } : value
    })
    return { ...found, values }
  })
}
