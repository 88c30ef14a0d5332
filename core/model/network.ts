import type { BatchTensors, Outputs } from "../contracts/objective.ts"
import type { WeightMap } from "../weights/weight_map.ts"
import type { ModuleNode, Scope } from "./module.ts"

/** A model's structure, as its family builds it. */
export interface Network {
  /** The tree; the root's path is empty. */
  readonly root: ModuleNode
  /** The whole graph. Modules are called through the scope, so that methods take part. */
  readonly forward: (scope: Scope, batch: BatchTensors) => Outputs
  /** Whether `forward` accepts a packed row (see `PackedRow`). Default false: only padded rows. */
  readonly paddingFree?: boolean
  /** Maximum sequence length, less the positions used by prefixes. */
  readonly maxPositions: number
  /**
   * Of an encoder-decoder model the token that its decoder begins with: prompts go to the encoder. Default: what is written
   * follows the prompt.
   */
  readonly startToken?: number
  /** Number of token ids. */
  readonly vocabSize: number
  /** What files call its parameters: other spellings, tied weights, heads of other tasks and heads that start new. */
  readonly weights: WeightMap
  /**
   * Values of buffers that files of older versions hold, by the ends of their names: they follow from the config, and a
   * person is told where a file has others. Default: none.
   */
  readonly buffers?: Readonly<Record<string, ReadonlyArray<number>>>
  /** Last names of the modules that methods adapt by default. */
  readonly defaultTargets: ReadonlyArray<string>
  /** Name of transformers' class, for `architectures`. */
  readonly architecture: string
  /** Fields of `config.json` that are written whatever was read, since one may stand for another there. Default: none. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Notes for the user on how the config was read. */
  readonly notes: ReadonlyArray<string>
}
