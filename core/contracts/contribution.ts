import type * as Effect from "effect/Effect"
import type { Rng } from "../tensor/random.ts"
import type { Shape } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { BatchSource } from "./batch_source.ts"
import type { GradientTransforms } from "./gradient_transform.ts"
import type { Head } from "./head.ts"
import type { ModuleInfo } from "./module_info.ts"
import type { Objective } from "./objective.ts"
import type { Parameter, ParameterSpec } from "./parameter.ts"
import type { KeyValues, Site } from "./site.ts"
import type { TrainEvent } from "./train_event.ts"

/** A tensor that leaves or enters a run: a parameter and its values, row-major. */
export interface NamedValues {
  /** Which one. */
  readonly parameter: Parameter
  /** Its elements. */
  readonly data: Float32Array
}

/** What a plugin's artifacts know of the model. */
export interface ArtifactContext {
  /** Directory that the base model was loaded from. */
  readonly baseModel: string
  /** The model's head. */
  readonly head: Head
  /** Name of transformers' class for the model and the task. */
  readonly architecture: string
  /** The base model's tree. */
  readonly modules: ReadonlyArray<ModuleInfo>
}

/** The base model when its weights are there, without any method. */
export interface BaseModel {
  /** Directory that it was loaded from; empty for one made from a config alone. */
  readonly directory: string
  /** Its tree. */
  readonly modules: ReadonlyArray<ModuleInfo>
  /** Number of token ids. */
  readonly vocabSize: number
  /** Random numbers of the plugin's own, by the seed of new parameters. */
  readonly rng: Rng
  /** One of its parameters by key, as loaded; or one of the plugin's own, as its initializer made it. */
  readonly parameter: (key: string) => Tensor
  /** Keys and values that each Attention makes of a text's tokens, by its path: what a cache of the text holds. */
  readonly keyValues: (tokens: Int32Array) => ReadonlyMap<string, KeyValues>
  /** Runs a graph over them once. */
  readonly evaluate: (
    outputs: Readonly<Record<string, Tensor>>,
  ) => Effect.Effect<Readonly<Record<string, Float32Array>>, Error>
}

/** A weight of the base model. */
export interface BaseWeight {
  /** Its key: its Hugging Face name. */
  readonly key: string
  /** Extents of its axes. */
  readonly shape: Shape
  /** Its elements, row-major. */
  readonly data: Float32Array
}

/** What an earlier run made of the base model beside what trains: a vocabulary that grew. */
export interface BaseChanges {
  /** Fields of `config.json` that are others since. */
  readonly config: Readonly<Record<string, unknown>>
  /** Weights that stand in the stead of the base model's. */
  readonly weights: ReadonlyArray<BaseWeight>
  /** Directory of the tokenizer that belongs to them. Default: the base model's. */
  readonly companions?: string
  /** Keys of weights that were tied and are no more, by the key of the one whose values they keep. */
  readonly untied?: Readonly<Record<string, string>>
}

/** Files of a plugin: whole contents by name, built before anything is written. */
export type ArtifactFiles = Readonly<Record<string, Uint8Array>>

/** What one plugin adds. Set-up is Effect; what runs in a step is a plain function over symbolic tensors. */
export interface Contribution {
  /** `method/name`: a method can be there twice. */
  readonly id: string
  /** Ids (or methods) that come before this one where order matters. Never taken from the order of building. */
  readonly after?: ReadonlyArray<string>
  /** Changes to the model. */
  readonly sites?: ReadonlyArray<Site>
  /** Base parameters that train too (a head, biases). With no plugin that has sites or this, everything trains. */
  readonly trains?: (module: ModuleInfo, parameter: string) => boolean
  /** What a person should know of its options, given the model's tree: names that match nothing. */
  readonly notes?: (modules: ReadonlyArray<ModuleInfo>) => ReadonlyArray<string>
  /** What it brings of the base from an earlier run, given the tree as config and files of the base have it. */
  readonly base?: (modules: ReadonlyArray<ModuleInfo>, tied: Readonly<Record<string, string>>) => BaseChanges
  /** Changes to the loss; `parameters` are keyed `<id>:objective.<name>`. */
  readonly objective?: {
    readonly parameters?: Readonly<Record<string, ParameterSpec>>
    readonly wrap: (next: Objective) => Objective
  }
  /**
   * Whether it works where several examples lie one after the other in a row (see `PackedRow`): no site mixes tokens of a
   * row, and the objective needs only a row's sum unless the head is of the sequence. Default: where it has no objective.
   */
  readonly paddingFree?: boolean
  /** Changes to what is drawn. */
  readonly batches?: (next: BatchSource) => BatchSource
  /** Changes to gradients. */
  readonly gradients?: GradientTransforms
  /**
   * First values that rest on the base model's weights, for some or all of the plugin's parameters that
   * `artifacts.initial` brings no values of; the others keep their initializer's.
   */
  readonly initialize?: (
    own: ReadonlyArray<Parameter>,
    base: BaseModel,
  ) => Effect.Effect<ReadonlyArray<NamedValues>, Error>
  /** What to write beside the run, and to read again: the plugin's own parameters and the base ones that it trains. */
  readonly artifacts?: {
    /** Files of an earlier run: `load` gives the plugin's parameters their first values from them. */
    readonly initial?: ArtifactFiles
    readonly save: (values: ReadonlyArray<NamedValues>, context: ArtifactContext) => Effect.Effect<ArtifactFiles, Error>
    /**
     * Gives values for the wanted parameters; missing, unexpected or wrongly shaped tensors are an error. Frozen ones, and
     * those of a new module that no plugin asks for (`trainable` is false), may be left out: they stay as they are.
     */
    readonly load: (
      files: ArtifactFiles,
      wanted: ReadonlyArray<Parameter>,
      context: ArtifactContext,
    ) => Effect.Effect<ReadonlyArray<NamedValues>, Error>
  }
  /** Trackers, monitors. */
  readonly observe?: (event: TrainEvent) => Effect.Effect<void>
}
