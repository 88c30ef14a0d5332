/**
 * LoftQ (Li et al. 2024, "LoftQ: LoRA-Fine-Tuning-Aware Quantization", algorithm 1): codes and factors that are together near
 * to the weights.
 * @module
 */
import * as Effect from "effect/Effect"
import type { Contribution, FrozenWeights, NamedValues } from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { halves, type Matrix, product, subspaceSvd } from "../../core/weights/combine/decompose.ts"
import { A, B, type LoftqBase, type LoraVariant, rankAndScale, type ResolvedOptions, targetRule } from "../lora/mod.ts"

/** Rounds of subspace iteration: what encodings take has no few directions that stand out, and needs several. */
const ROUNDS = 4

/** A start of A [r, in] and B [out, r]. */
interface Start {
  readonly a: Float32Array
  readonly b: Float32Array
}

/** A start, with the base's numbers before and after they are rounded. */
interface Alternated extends Start {
  readonly base: Float32Array
  readonly held: Float32Array
}

/**
 * Alternates between rounding W - scale B A and the nearest scale B A of rank r to the rest.
 *
 * @param rounded Numbers as the encoding holds them.
 */
export function alternate(
  weight: Float32Array,
  [rows, columns]: readonly [rows: number, columns: number],
  rounded: (data: Float32Array) => Float32Array,
  { r, scale, iterations }: { readonly r: number; readonly scale: number; readonly iterations: number },
): Alternated {
  let base = weight
  for (let round = 1;; round++) {
    const held = rounded(base)
    const rest: Matrix = { rows, columns, data: Float64Array.from(weight, (value, i) => value - held[i]) }
    const { left, right } = halves(subspaceSvd(rest, r, ROUNDS), scale)
    if (round === iterations) {
      return { a: Float32Array.from(right.data), b: Float32Array.from(left.data), base, held }
    }
    const update = product(left, right).data
    base = Float32Array.from(weight, (value, i) => value - scale * update[i])
  }
}

/** LoftQ for one adapter. */
export interface Loftq {
  readonly variant: LoraVariant
  /** LoRA's contribution with this start. */
  readonly started: (made: readonly [ResolvedOptions, Contribution]) => readonly [ResolvedOptions, Contribution]
}

/**
 * LoftQ in so many rounds.
 *
 * @param expected The base that a saved adapter counts from, which loading must make again.
 */
export function loftq(iterations: number, expected?: LoftqBase): Loftq {
  const starts = new Map<string, Start>()
  let found = expected
  return {
    variant: {
      method: "lora",
      settings: { initLoraWeights: "loftq", loftqIterations: iterations },
      fields: () => ({
        ...(found === undefined ? {} : { loftq: found }),
        ...(iterations > 1 ? { initLoraWeights: "loftq" } : {}),
      }),
    },
    started: ([options, contribution]) => [options, {
      ...contribution,
      changesBase: (weights) =>
        Effect.gen(function* () {
          found = yield* changeBase(options, iterations, weights, starts)
          const { encoding, sha256 } = found
          if (expected === undefined || (expected.encoding === encoding && expected.sha256 === sha256)) return
          return yield* pluginError(
            options.id,
            `its files count from a base in ${expected.encoding} that LoftQ made in ${iterations} rounds, and this one is ` +
              `another (${encoding}, sha256 ${sha256}, not ${expected.sha256}): load it with the model and the ` +
              "quantization that it was trained with",
          )
        }),
      initialize: (own, base) =>
        Effect.gen(function* () {
          const values = own.flatMap((parameter): ReadonlyArray<NamedValues> => {
            const start = starts.get(parameter.module)
            if (start === undefined || (parameter.name !== A && parameter.name !== B)) return []
            return [{ parameter, data: parameter.name === A ? start.a : start.b }]
          })
          starts.clear()
          const rest = own.filter((parameter) => !values.some((value) => value.parameter === parameter))
          return [...values, ...(rest.length === 0 ? [] : yield* contribution.initialize?.(rest, base) ?? NONE)]
        }),
    }],
  }
}

/** LoRA's own start. */
export const PLAIN: Loftq = {
  variant: { method: "lora", settings: {}, fields: () => ({}) },
  started: (made) => made,
}

const NONE: Effect.Effect<ReadonlyArray<NamedValues>> = Effect.succeed([])

/** Computes the starts of an adapter's modules; changes the base where there is more than one round. */
function changeBase(
  options: ResolvedOptions,
  iterations: number,
  weights: FrozenWeights,
  starts: Map<string, Start>,
): Effect.Effect<LoftqBase, Error> {
  return Effect.gen(function* () {
    const isTarget = targetRule(options)
    const targets = weights.modules.filter((module) =>
      module.kind === "Linear" && isTarget(module) && weights.inBlocks(keyOf(module))
    )
    if (targets.length === 0) {
      return yield* pluginError(
        options.id,
        'initLoraWeights "loftq" starts from what quantization took, and none of its modules is quantized: add ' +
          "Quantization.layer, or leave it out",
      )
    }
    let digest = new Uint8Array(0)
    for (const module of targets) {
      const key = keyOf(module), { sizes: { inFeatures, outFeatures } } = module
      const { r, scale } = rankAndScale(options, module)
      if (r > Math.min(inFeatures, outFeatures)) {
        return yield* pluginError(
          options.id,
          `initLoraWeights "loftq" takes ${r} directions of "${module.path}", which is [${outFeatures}, ${inFeatures}]; ` +
            "lower the rank, or leave the module out",
        )
      }
      const start = alternate(
        yield* weights.stored(key),
        [outFeatures, inFeatures],
        (data) => weights.rounded(key, data),
        { r, scale, iterations },
      )
      starts.set(module.path, { a: start.a, b: start.b })
      if (iterations > 1) yield* weights.write(key, start.base)
      digest = yield* Effect.promise(() => digestOf(digest, start.held))
    }
    const [{ encodings }] = targets
    const encoding = encodings?.weight?.name ?? ""
    return { iterations, encoding, ...(iterations > 1 ? { sha256: hexOf(digest) } : {}) }
  })
}

const keyOf = ({ path }: ModuleInfo): string => `${path}.weight`

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

/** SHA-256 of a digest and numbers after it. */
async function digestOf(before: Uint8Array, data: Float32Array): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(before.length + data.byteLength)
  bytes.set(before)
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), before.length)
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))
}
