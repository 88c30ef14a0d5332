/**
 * DoRA's lengths of rows, as a bank has them.
 * @module
 */
import * as Effect from "effect/Effect"
import type { BankContext, BankValues } from "../../../core/contracts/bank/bank_method.ts"
import type { NamedValues } from "../../../core/contracts/contribution.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { adapterFault } from "../../peft_format/mod.ts"
import { grouped } from "../grouped.ts"
import { MAGNITUDE, rowFactors } from "../low_rank.ts"

/** Most elements of the weights of one run, all of which its memory holds: rows that run meanwhile wait for it. */
const RUN_ELEMENTS = 2 ** 24

/**
 * Values with what lengths of rows add, m / |W + B A| - 1, in the stead of the lengths m. Fails with `AdapterError` where
 * a row has no length, and with the backend's errors.
 */
export function withRowFactors(
  name: string,
  found: BankValues,
  { parameter: base, evaluate }: BankContext,
): Effect.Effect<BankValues, Error> {
  return Effect.gen(function* () {
    const runs: Array<Record<string, Tensor>> = []
    let elements = Infinity
    for (const [module, values] of grouped(found.values, ({ parameter }) => parameter.module)) {
      if (!isDora(values)) continue
      const weight = base(`${module}.weight`)
      elements += sizeOf(weight.shape)
      if (elements > RUN_ELEMENTS) {
        runs.push({})
        elements = sizeOf(weight.shape)
      }
      runs.at(-1)![module] = added(weight, values)
    }
    const factors: Readonly<Record<string, Float32Array>> = Object.assign({}, ...yield* Effect.forEach(runs, evaluate))
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

/** Whether a module's values are DoRA's. Of those that are not finite the bank says which they are. */
const isDora = (values: ReadonlyArray<NamedValues>): boolean =>
  values.some(({ parameter }) => parameter.name === MAGNITUDE) &&
  values.every(({ data }) => data.every(Number.isFinite))

/** What lengths add at one module. */
function added(weight: Tensor, values: ReadonlyArray<NamedValues>): Tensor {
  const parameter = (name: string) => {
    const { data, parameter: { shape } } = values.find(({ parameter }) => parameter.name === name)!
    return ops.constant(data, shape)
  }
  return ops.sub(rowFactors(weight, { scale: 1, fromBase: false, parameter }), 1)
}
