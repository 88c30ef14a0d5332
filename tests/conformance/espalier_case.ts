/**
 * Runs one conformance case on Espalier.
 * @module
 */
import type { NamedTensor } from "./_tensors.ts"
import type { Case } from "./cases.ts"
import type { Tensors, Training } from "./compare.ts"

/** What a run gives to be compared. Logits at unpadded positions only, rows one after the other (or one row of labels each). */
export interface CaseResult {
  /** Of the base model alone. */
  readonly base?: NamedTensor["data"]
  /** With the adapter of `adapter/`, before training. */
  readonly before?: NamedTensor["data"]
  /** After training, from the model in memory. */
  readonly after?: NamedTensor["data"]
  /** Of a fresh model with what the reference saved in `final/`. */
  readonly theirs?: NamedTensor["data"]
  /** Of kind `train`; tensors named as saved. */
  readonly training?: Training
  /** Of kind `init`: a new adapter's tensors, named as saved. */
  readonly adapter?: Tensors
  /** Of kind `train`: the directory with the adapter (or, for full fine-tuning, the model) saved after training. */
  readonly saved?: string
}

/**
 * Runs a case.
 * @param one the case, its options included (a control differs from its case in these alone)
 * @param directory what reference.py wrote for it: `model/`, `batches.json`, `adapter/`, `final/`
 * @param output an empty directory for what is saved
 */
export type RunCase = (one: Case, directory: string, output: string) => Promise<CaseResult>

/** Runs a case on the wasm backend. */
export const runCase: RunCase = (one) => Promise.reject(new Error(`"${one.name}": the engine is not wired in yet`))
