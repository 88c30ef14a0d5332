/**
 * Rows before the embedded tokens (Lester et al. 2021, section 2): the model reads [P; X], and P alone is trained.
 * @module
 */
import type { Initializer, ParameterSpec } from "../../core/contracts/parameter.ts"
import type { Site, SitePlan } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { ResolvedOptions } from "./options.ts"

const NORMAL: Initializer = { kind: "normal", std: 1 }

/** Ends of the names of an encoder's products, as PEFT numbers them: what lies between has no parameters. */
export const LAYERS: ReadonlyArray<string> = ["mlp_head.0", "mlp_head.2", "mlp_head.4"]

export function sitesOf(options: ResolvedOptions): ReadonlyArray<Site> {
  return [{
    // Of an encoder-decoder model the encoder reads them, as in PEFT.
    select: ({ kind, side }) => kind === "Backbone" && side !== "decoder",
    plan: ({ sizes }) => planAt(options, sizes.hiddenSize),
  }]
}

function planAt(options: ResolvedOptions, width: number): SitePlan {
  const { numVirtualTokens, promptTuningInit, encoderReparameterizationType, encoderHiddenSize = width } = options
  // What comes from the vocabulary is written once the weights are there.
  const initializer: Initializer = promptTuningInit === "RANDOM" ? NORMAL : { kind: "zeros" }
  const embedding = { "embedding.weight": { shape: [numVirtualTokens, width], initializer } }
  if (encoderReparameterizationType === undefined) {
    return {
      place: "input-prefix",
      length: numVirtualTokens,
      parameters: embedding,
      forward: ({ parameter }) => parameter("embedding.weight"),
    }
  }
  const widths = [width, encoderHiddenSize, encoderHiddenSize, width]
  const layers = LAYERS.flatMap((name, i) => linear(name, widths[i], widths[i + 1]))
  return {
    place: "input-prefix",
    length: numVirtualTokens,
    parameters: { ...embedding, ...Object.fromEntries(layers) },
    forward: ({ parameter }) =>
      LAYERS.reduce((x: Tensor, name, i) => {
        const product = ops.matmul(i === 0 ? x : ops.relu(x), parameter(`${name}.weight`), { transposeB: true })
        return ops.add(product, parameter(`${name}.bias`))
      }, parameter("embedding.weight")),
  }
}

/** Torch's Linear: weight and bias start uniform. */
function linear(
  name: string,
  inFeatures: number,
  outFeatures: number,
): ReadonlyArray<readonly [string, ParameterSpec]> {
  const initializer: Initializer = { kind: "uniform", bound: 1 / Math.sqrt(inFeatures) }
  return [
    [`${name}.weight`, { shape: [outFeatures, inFeatures], initializer }],
    [`${name}.bias`, { shape: [outFeatures], initializer }],
  ]
}
