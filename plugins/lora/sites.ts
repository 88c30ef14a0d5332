/**
 * What LoRA adds to a module (Hu et al. 2021): y + scale B A x, as two narrow products.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Initializer } from "../../core/contracts/parameter.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import type { Site, SitePlan } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { ResolvedOptions } from "./options.ts"
import { rankAndScale, targetRule } from "./targets.ts"

const ZEROS: Initializer = { kind: "zeros" }
const uniform = (bound: number): Initializer => ({ kind: "uniform", bound })
const normal = (std: number): Initializer => ({ kind: "normal", std })

/** The sites of an adapter. */
export function sitesOf(options: ResolvedOptions): ReadonlyArray<Site> {
  const { id, targetModules, modulesToSave } = options
  const isTarget = targetRule(options)
  const adapt: Site = {
    // A text or a list goes to core as it is, so that its error can quote it.
    select: targetModules ?? ((module) => module.defaultTarget),
    exclude: (module) => !isTarget(module),
    plan: (module) => {
      if (module.kind === "Linear") return planLinear(options, module)
      if (module.kind === "Embedding") return planEmbedding(options, module)
      const message = `${id}: LoRA adapts Linear and Embedding modules; "${module.path}" is ${module.kind}`
      throw new PluginError({ plugin: id, message })
    },
  }
  // Modules that train whole are no change of the graph; the site makes a name that matches nothing an error.
  const named = modulesToSave.map((name): Site => ({
    select: [name],
    plan: () => ({ place: "after", parameters: {}, forward: (_, y) => y }),
  }))
  return [adapt, ...named]
}

function planLinear(options: ResolvedOptions, { path, sizes: { inFeatures, outFeatures } }: ModuleInfo): SitePlan {
  const { initLoraWeights, loraDropout } = options
  const { r, scale } = rankAndScale(options, path)
  return {
    place: "delta",
    parameters: {
      lora_A: {
        shape: [r, inFeatures],
        initializer: initLoraWeights === "gaussian" ? normal(1 / r) : uniform(1 / Math.sqrt(inFeatures)),
      },
      lora_B: { shape: [outFeatures, r], initializer: initLoraWeights === false ? uniform(1 / Math.sqrt(r)) : ZEROS },
    },
    forward: (scope, x) => {
      const down = ops.matmul(scope.dropout(x, loraDropout), scope.parameter("lora_A"), { transposeB: true })
      return ops.matmul(ops.mul(down, scale), scope.parameter("lora_B"), { transposeB: true })
    },
  }
}

function planEmbedding(options: ResolvedOptions, { path, sizes: { rows, width } }: ModuleInfo): SitePlan {
  const { r, scale } = rankAndScale(options, path)
  return {
    place: "delta",
    parameters: {
      lora_embedding_A: { shape: [r, rows], initializer: options.initLoraWeights === false ? normal(1) : ZEROS },
      lora_embedding_B: { shape: [width, r], initializer: normal(1) },
    },
    forward: (scope, indices) => {
      const down = ops.gather(ops.transpose(scope.parameter("lora_embedding_A")), indices)
      return ops.matmul(ops.mul(down, scale), scope.parameter("lora_embedding_B"), { transposeB: true })
    },
  }
}
