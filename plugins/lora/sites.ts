/**
 * What LoRA adds to a module (Hu et al. 2021): y + scale B A x, as two narrow products.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Initializer, ParameterSpec } from "../../core/contracts/parameter.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import type { Site, SitePlan } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import {
  A,
  B,
  EMBEDDING_A,
  EMBEDDING_B,
  INITIAL_A,
  INITIAL_B,
  MAGNITUDE,
  mergeLowRank,
  narrowProduct,
  rowFactors,
} from "./low_rank.ts"
import { type ResolvedOptions, startsFromBase } from "./options.ts"
import { planOwn } from "./own_modules.ts"
import { isSaved, pathIn, rankAndScale, savedBy, targetRule, wantedRule } from "./targets.ts"

const ZEROS: Initializer = { kind: "zeros" }
const uniform = (bound: number): Initializer => ({ kind: "uniform", bound })
const normal = (std: number): Initializer => ({ kind: "normal", std })

export function sitesOf(options: ResolvedOptions): ReadonlyArray<Site> {
  const { id, targetModules, origin } = options
  const isTarget = targetRule(options)
  const { layersToTransform: _, ...inAllLayers } = options
  const adapt: Site = {
    // A text or a list goes to core as it is, so that its error can quote it; files may name modules otherwise.
    select: origin === undefined && targetModules !== undefined ? targetModules : wantedRule(inAllLayers),
    exclude: (module) => !isTarget(module),
    plan: (module) => {
      if (isSaved(options, module)) {
        throw pluginError(
          id,
          `"${module.path}" would be adapted and train whole, since the name of ` +
            `"${
              savedBy(options, module)[0]
            }" ends in one of modulesToSave; say more of that name, or leave out the module`,
        )
      }
      if (module.kind === "Linear") return (options.variant?.plan ?? planLinear)(options, module)
      const isOther = options.variant?.plan !== undefined
      if (module.kind === "Embedding" && !isOther) return planEmbedding(options, module)
      const kinds = isOther ? "it adapts Linear" : "LoRA adapts Linear and Embedding"
      throw pluginError(id, `${kinds} modules; "${module.path}" is ${module.kind}`)
    },
  }
  const own: Site = {
    select: (module) => isSaved(options, module) && Object.keys(module.parameters).length > 0,
    plan: (module) => planOwn(options, module),
  }
  return [adapt, ...(options.ownModules ? [own] : [])]
}

function planLinear(options: ResolvedOptions, module: ModuleInfo): SitePlan {
  const { id, initLoraWeights, loraDropout, useDora, loraPlusLrRatio } = options
  const { path, sizes: { inFeatures, outFeatures } } = module
  const { r, scale } = rankAndScale(options, module)
  if (initLoraWeights === "orthogonal" && r % 2 !== 0) {
    throw pluginError(id, `initLoraWeights "orthogonal" needs an even rank; at "${path}" it is ${r}`)
  }
  if (startsFromBase(options) && scale === 0) {
    throw pluginError(id, `initLoraWeights "${initLoraWeights}" divides by loraAlpha, which is 0 at "${path}"`)
  }
  const fromBase = startsFromBase(options)
  if (fromBase && r > Math.min(inFeatures, outFeatures)) {
    throw pluginError(
      id,
      `initLoraWeights "${initLoraWeights}" takes ${r} directions of "${path}", which is ` +
        `[${outFeatures}, ${inFeatures}]; lower the rank, or leave the module out`,
    )
  }
  const spec = (shape: ReadonlyArray<number>, more: Partial<ParameterSpec> = {}): ParameterSpec => ({
    shape,
    initializer: ZEROS,
    ...more,
  })
  const faster = loraPlusLrRatio === 1 ? {} : { learningRateFactor: loraPlusLrRatio }
  const down = initLoraWeights === "gaussian" ? normal(1 / r) : uniform(1 / Math.sqrt(inFeatures))
  const up = initLoraWeights === false ? uniform(1 / Math.sqrt(r)) : ZEROS
  return {
    place: "delta",
    parameters: {
      [A]: spec([r, inFeatures], { initializer: down }),
      [B]: spec([outFeatures, r], { initializer: up, ...faster }),
      ...(useDora ? { [MAGNITUDE]: spec([outFeatures], faster) } : {}),
      ...(fromBase
        ? {
          [INITIAL_A]: spec([r, inFeatures], { trainable: false }),
          [INITIAL_B]: spec([outFeatures, r], { trainable: false }),
        }
        : {}),
    },
    factors: ({ parameter, training }) => {
      if (useDora || (training && loraDropout > 0)) return undefined
      const [down, up] = [parameter(A), parameter(B)]
      return {
        down: ops.mul(fromBase ? ops.concat([down, parameter(INITIAL_A)], 0) : down, scale),
        up: fromBase ? ops.concat([up, ops.neg(parameter(INITIAL_B))], 1) : up,
      }
    },
    merge: {
      weight: ({ parameter, base }, weight) =>
        mergeLowRank(weight, base("weight"), { scale, fromBase, parameter }, useDora),
    },
    forward: (scope, x) => {
      const { parameter } = scope
      const dropped = scope.dropout(x, loraDropout)
      const update = narrowProduct(dropped, parameter(A), parameter(B), scale)
      const start = (x: Tensor) => narrowProduct(x, parameter(INITIAL_A), parameter(INITIAL_B), scale)
      if (!useDora) return fromBase ? ops.sub(update, start(x)) : update
      const weight = scope.base("weight")
      const factors = rowFactors(weight, { scale, fromBase, parameter })
      // The module's own product, once more in words; one and the same in the program where nothing is dropped.
      const own = ops.matmul(dropped, weight, { transposeB: true })
      const residual = fromBase ? ops.sub(own, start(dropped)) : own
      const y = ops.add(ops.mul(residual, ops.sub(factors, 1)), ops.mul(update, factors))
      return fromBase ? ops.sub(y, start(x)) : y
    },
  }
}

function planEmbedding(options: ResolvedOptions, module: ModuleInfo): SitePlan {
  const { id, initLoraWeights, useDora, origin } = options
  const { path, sizes: { rows, width } } = module
  if (origin?.ensureWeightTying) {
    throw pluginError(
      id,
      `ensure_weight_tying ties the update of "${pathIn(options, module)}" to one of the head, ` +
        "which is not known here; save the adapter without it",
    )
  }
  const linearOnly = useDora ? "useDora" : startsFromBase(options) ? `initLoraWeights "${initLoraWeights}"` : undefined
  if (linearOnly !== undefined) {
    throw pluginError(id, `${linearOnly} is for Linear modules; "${path}" is an Embedding: leave it out`)
  }
  const { r, scale } = rankAndScale(options, module)
  return {
    place: "delta",
    parameters: {
      [EMBEDDING_A]: { shape: [r, rows], initializer: initLoraWeights === false ? normal(1) : ZEROS },
      [EMBEDDING_B]: { shape: [width, r], initializer: normal(1) },
    },
    merge: {
      // A table has the rows that a Linear's weight has as columns.
      weight: ({ parameter, base }, table) => {
        const turned = (name: string) => ops.transpose(parameter(name === A ? EMBEDDING_B : EMBEDDING_A))
        return mergeLowRank(table, base("weight"), { scale, fromBase: false, parameter: turned }, false)
      },
    },
    forward: (scope, indices) => {
      const down = ops.gather(ops.transpose(scope.parameter(EMBEDDING_A)), indices)
      return ops.matmul(ops.mul(down, scale), scope.parameter(EMBEDDING_B), { transposeB: true })
    },
  }
}
