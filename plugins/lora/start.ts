/**
 * First values that rest on the base weights: DoRA's lengths, PiSSA's and OLoRA's directions.
 * @module
 */
import * as Effect from "effect/Effect"
import type { BaseModel, NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Rng } from "../../core/tensor/operations/random.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { halves, type Matrix, subspaceSvd, svd, thinQr } from "../../core/weights/combine/decompose.ts"
import { grouped } from "./grouped.ts"
import { A, B, INITIAL_A, INITIAL_B, lowRankWeight, MAGNITUDE, rowLengths } from "./low_rank.ts"
import { type ResolvedOptions, startsFromBase } from "./options.ts"
import { isOwn } from "./own_modules.ts"
import { rankAndScale } from "./targets.ts"

/** First values of those of an adapter's parameters that rest on the base. */
export function startFromBase(
  options: ResolvedOptions,
  own: ReadonlyArray<Parameter>,
  base: BaseModel,
): Effect.Effect<ReadonlyArray<NamedValues>, Error> {
  return Effect.gen(function* () {
    const { id } = options
    const values: NamedValues[] = []
    // Other parameters start as their initializers say.
    const resting = own.filter((parameter) =>
      startsFromBase(options) || options.initLoraWeights === "orthogonal" || parameter.name === MAGNITUDE ||
      isOwn(options, parameter)
    )
    const infos = new Map(base.modules.map((info) => [info.path, info]))
    for (const [module, parameters] of grouped(resting, ({ module }) => module)) {
      if (parameters.every((parameter) => isOwn(options, parameter))) {
        for (const parameter of parameters) {
          const { data } = yield* base.evaluate({ data: base.parameter(`${module}.${parameter.name}`) })
          values.push({ parameter, data })
        }
        continue
      }
      const weight = base.parameter(`${module}.weight`)
      const parameter = (name: string) => base.parameter(`${id}:${module}.${name}`)
      const rank = rankAndScale(options, infos.get(module) ?? { path: module })
      const wanted: Record<string, Float32Array> = {}
      if (startsFromBase(options)) {
        const [rows, columns] = weight.shape
        const { data } = yield* base.evaluate({ data: weight })
        const factors = factorsOf(options, rank, { rows, columns, data: Float64Array.from(data) })
        Object.assign(wanted, { [A]: factors.a, [B]: factors.b, [INITIAL_A]: factors.a, [INITIAL_B]: factors.b })
      }
      if (options.initLoraWeights === "orthogonal" && parameters.some(({ name }) => name === A)) {
        const [rows, columns] = weight.shape
        Object.assign(wanted, orthogonal(rank.r, rows, columns, base.rng))
      }
      if (parameters.some(({ name }) => name === MAGNITUDE)) {
        wanted[MAGNITUDE] = (yield* base.evaluate({ lengths: startLengths(options, rank.scale, weight, parameter) }))
          .lengths
      }
      for (const parameter of parameters) {
        const data = wanted[parameter.name]
        if (data !== undefined) values.push({ parameter, data })
      }
    }
    return values
  })
}

/**
 * A and B neither of which is zero, with B A = 0: their rows and columns are random mixtures of every other row of one
 * orthogonal matrix, of the odd ones and of the even ones. PEFT's `orthogonal`.
 */
function orthogonal(r: number, rows: number, columns: number, rng: Rng): Readonly<Record<string, Float32Array>> {
  const random = (length: number) => Float64Array.from({ length }, () => rng.normal())
  const { data: q } = thinQr({ rows: r, columns: r, data: random(r * r) }, r).q
  const half = r / 2
  /** mixture [length, r / 2] times rows first, first + 2, ... of q: [length, r]. */
  const mixed = (length: number, first: number): Float64Array => {
    const mixture = random(length * half)
    const out = new Float64Array(length * r)
    for (let i = 0; i < length; i++) {
      for (let k = 0; k < half; k++) {
        for (let j = 0; j < r; j++) out[i * r + j] += mixture[i * half + k] * q[(2 * k + first) * r + j] / 10
      }
    }
    return out
  }
  const [a, b] = [mixed(columns, 0), mixed(rows, 1)]
  // A is stored the other way around.
  return {
    [A]: Float32Array.from({ length: r * columns }, (_, i) => a[(i % columns) * r + Math.floor(i / columns)]),
    [B]: Float32Array.from(b),
  }
}

/** Of W + update: of W, where the update starts at zero because its start is taken off. */
function startLengths(
  options: ResolvedOptions,
  scale: number,
  weight: Tensor,
  parameter: (name: string) => Tensor,
): Tensor {
  if (startsFromBase(options)) return rowLengths(weight)
  return rowLengths(ops.add(weight, lowRankWeight({ scale, fromBase: false, parameter })))
}

/** A and B of a weight. PiSSA: scale B A is the nearest matrix of rank r (eq. 2, 3); OLoRA: B A is QR's first part. */
function factorsOf(
  { initLoraWeights }: ResolvedOptions,
  { r, scale }: { readonly r: number; readonly scale: number },
  weight: Matrix,
): { readonly a: Float32Array; readonly b: Float32Array } {
  if (initLoraWeights === "olora") {
    const { q, r: upper } = thinQr(weight, r)
    return { a: Float32Array.from(upper.data), b: Float32Array.from(q.data) }
  }
  const [, rounds] = String(initLoraWeights).split("_niter_")
  const { left, right } = halves(rounds === undefined ? svd(weight, r) : subspaceSvd(weight, r, Number(rounds)), scale)
  return { a: Float32Array.from(right.data), b: Float32Array.from(left.data) }
}
