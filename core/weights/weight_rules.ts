/**
 * Weight rules that many families have.
 * @module
 */
import type { WeightMap } from "./weight_map.ts"
import { transpose } from "./weight_transform.ts"

/** Parts of a backbone, which files of a backbone alone name without its prefix, as transformers reads them. */
export function legacyParts(prefix: string, parts: ReadonlyArray<string>): WeightMap {
  return parts.map((part) => ({ stored: `${part}.*`, names: `${prefix}.${part}.*`, legacy: true }))
}

/** Tensors that the model has no use for: heads of other tasks, old buffers. */
export function unused(...patterns: ReadonlyArray<string>): WeightMap {
  return patterns.map((stored) => ({ stored, names: [] }))
}

/** Tensors of a head, new where files lack them. */
export function starting(...patterns: ReadonlyArray<string>): WeightMap {
  return patterns.map((names) => ({ stored: names, names, optional: true }))
}

/** A parameter that is another one: an output that is the embedding of the tokens. */
export function tied(first: string, other: string): WeightMap {
  return [{ stored: first, names: [first, other] }]
}

/** Matrices that files hold with their axes swapped: [in, out] where the model has [out, in]. */
export function transposed(...patterns: ReadonlyArray<string>): WeightMap {
  return patterns.map((names) => ({ stored: names, names, transform: transpose }))
}
