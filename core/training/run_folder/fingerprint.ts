/**
 * What a run takes as given: a resumed run must have the same.
 * @module
 */
import { digest, jsonBytes } from "../../data/digest.ts"
import type { Model } from "../../model/model.ts"
import { runOnce } from "../../model/sites/run_once.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { slice } from "../../tensor/operations/views.ts"

/** Digests of a model's `config.json` and of what does not train. */
export interface Fingerprint {
  /** Of the configuration. */
  readonly config: string
  /** Of the frozen parameters: keys, shapes and one row of each. Checkpoints hold the trained ones. */
  readonly frozen: string
}

/** The first row of a tensor: of all axes but the last, the first index. */
const firstRow = (tensor: Tensor): Tensor =>
  slice(
    tensor,
    tensor.shape.map(() => 0),
    tensor.shape.map((extent, axis) => axis < tensor.shape.length - 1 ? 1 : extent),
  )

/** The fingerprint of a model. */
export async function fingerprint({ backend, config, parameters }: Model): Promise<Fingerprint> {
  const frozen = parameters.flatMap(({ key, trainable, tensor, original }) =>
    trainable ? original === undefined ? [] : [[key, original.tensor] as const] : [[key, tensor] as const]
  )
  const outputs = Object.fromEntries(frozen.map(([key, tensor]) => [key, firstRow(tensor)]))
  const rows = frozen.length === 0 ? {} : await runOnce(backend, { name: "fingerprint", outputs, updates: [] })
  const all = frozen.flatMap(([key, { shape }]) => [jsonBytes([key, shape]), rows[key]])
  return { config: digest([jsonBytes(config)]), frozen: digest(all) }
}
