import type * as Effect from "effect/Effect"
import type { BlockFormat } from "../tensor/block_format.ts"
import type { Rng } from "../tensor/operations/random.ts"
import type { Shape } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { BatchContext, BatchSource } from "./batch_source.ts"
import type { GradientTransforms } from "./gradient_transform.ts"
import type { Head } from "./head.ts"
import type { ModuleInfo } from "./module_info.ts"
import type { Objective } from "./objective.ts"
import type { Parameter, ParameterSpec } from "./parameter.ts"
import type { KeyValues, Site } from "./site.ts"
import type { Metrics, TrainEvent, TrainMessage } from "./train_event.ts"

/** A parameter and its values, row-major. */
export interface NamedValues {
  /** The parameter. */
  readonly parameter: Parameter
  /** Its elements. */
  readonly data: Float32Array
}

/** Model information passed to `save` and `load`. */
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

/** Parameters of the base, and graphs of them. */
export interface BaseParameters {
  /** A base parameter by key, as loaded, or a parameter of the plugin, as initialized. */
  readonly parameter: (key: string) => Tensor
  /** Runs a graph once. */
  readonly evaluate: (
    outputs: Readonly<Record<string, Tensor>>,
  ) => Effect.Effect<Readonly<Record<string, Float32Array>>, Error>
}

/** The base model with its weights, without methods. */
export interface BaseModel extends BaseParameters {
  /** Directory that it was loaded from; empty if it was made from a config alone. */
  readonly directory: string
  /** Its tree. */
  readonly modules: ReadonlyArray<ModuleInfo>
  /** Number of token ids. */
  readonly vocabSize: number
  /** The plugin's random numbers, from the seed of new parameters. */
  readonly rng: Rng
  /** Keys and values of a text's tokens, by the path of each Attention. */
  readonly keyValues: (tokens: Int32Array) => ReadonlyMap<string, KeyValues>
}

/** The base's frozen weights, by their Hugging Face names. */
export interface FrozenWeights {
  /** The base's tree. */
  readonly modules: ReadonlyArray<ModuleInfo>
  /** Numbers of a weight before memory rounded them to an encoding: as its file holds them, or as they were initialized. */
  readonly stored: (key: string) => Effect.Effect<Float32Array, Error>
  /** Whether memory holds a weight in blocks of an encoding. */
  readonly inBlocks: (key: string) => boolean
  /** Numbers as the memory of a weight would hold them. */
  readonly rounded: (key: string, data: Float32Array) => Float32Array
  /** Gives a weight other numbers, which memory rounds to its encoding. */
  readonly write: (key: string, data: Float32Array) => Effect.Effect<void, Error>
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

/** Changes of the base model by an earlier run, apart from what trains: a larger vocabulary. */
export interface BaseChanges {
  /** Changed fields of `config.json`. */
  readonly config: Readonly<Record<string, unknown>>
  /** Weights that replace the base model's. */
  readonly weights: ReadonlyArray<BaseWeight>
  /** Directory of the tokenizer that belongs to them. Default: the base model's. */
  readonly companions?: string
  /** Keys of weights that are no longer tied, each with the key of the weight whose values it keeps. */
  readonly untied?: Readonly<Record<string, string>>
}

/** Files of a plugin: complete contents by name, made before anything is written. */
export type ArtifactFiles = Readonly<Record<string, Uint8Array>>

/** What a plugin needs of a training step. */
export interface Requirements {
  /**
   * A row for each example. False says that it works where several examples lie one after the other in a row (see
   * `PackedRow`): no site mixes tokens of a row, and for per-token labels, the objective only needs the row's total loss.
   * Default: true with an objective or a transform of `example` gradients, else false.
   */
  readonly paddedRows?: boolean
  /** Losses by example in the feedback of `batches`. For per-token labels each example then has a row. Default false. */
  readonly perExampleLoss?: boolean
  /**
   * The loss of an example is the mean of its terms, and a step divides the sum over its examples by the number of
   * examples that it is planned for (micro-batch size times micro-batches), however many there are: what one example
   * adds does not depend on the others. For per-token labels each example then has a row. Default false.
   */
  readonly constantDivisor?: boolean
}

/** What `Trainer.fit` knows of a run before it starts. */
export interface RunPlan {
  /** Training rows by task. */
  readonly rows: Readonly<Record<string, number>>
  /** Names of old rows that the run judges. */
  readonly retained: ReadonlyArray<string>
  /** Examples of a micro-batch. */
  readonly batchSize: number
  /** Passes over the data that are asked for, where `maxSteps` does not say when the run ends. */
  readonly epochs: number
  /** Steps that are asked for. */
  readonly maxSteps?: number
  /** Whether texts are joined and cut into blocks, so that a row is of several texts. */
  readonly packing: boolean
  /** Whether rows are read while the model trains, so that their number is not known. */
  readonly streamed: boolean
  /** Rows by which the best weights are chosen, if any: their number, and how many of them are training rows too. */
  readonly validation: () => { readonly rows: number; readonly ofTraining: number }
}

/** A run before it starts. */
export interface RunInfo {
  /** Its seed. */
  readonly seed: number
  /** What takes part in it, in its order. */
  readonly contributions: ReadonlyArray<Contribution>
  /** Examples that a step is planned for, if the caller says. */
  readonly examplesPerStep?: number
  /** Undefined in a session without `Trainer.fit`. */
  readonly plan?: RunPlan
}

/** What a plugin sees of a task. */
export interface TaskInfo {
  /** What it is: `"classification"`, `"regression"`, ... */
  readonly kind: string
  /** Its output layer. */
  readonly head: Head
  /**
   * What its batches hold beside tokens, by name: numbers for each example, token, or token of the target, several of each
   * with a `size`.
   */
  readonly fields: Readonly<
    Record<
      string,
      { readonly per: "example" | "token" | "target"; readonly dtype: "i32" | "f32"; readonly size?: number }
    >
  >
}

/** What one plugin adds. Set-up is Effect; what runs in a step is a plain function over symbolic tensors. */
export interface Contribution {
  /** `method/name`; the name distinguishes instances of one method. */
  readonly id: string
  /**
   * Options on which a run depends, as plain JSON, as they are once the run is prepared: `config.json` of a run folder holds
   * them, and a resumed run must have the same. Default: nothing of the plugin but its id is compared.
   */
  readonly settings?: object
  /** Ids (or methods) that come before this one. The order of building layers does not matter. */
  readonly after?: ReadonlyArray<string>
  /**
   * Tasks of a model of several whose batches go through its sites; the batches of others see the model without them.
   * Default: all.
   */
  readonly tasks?: ReadonlyArray<string>
  /**
   * What it adds beside the rest to a model of these tasks, by name; a model of one task without a name has none here.
   * Throws PluginError where it does not fit. Default: the same to every model.
   */
  readonly resolve?: (
    tasks: Readonly<Record<string, TaskInfo>>,
  ) => Omit<Contribution, "id" | "after" | "tasks" | "resolve">
  /** Changes to the model. */
  readonly sites?: ReadonlyArray<Site>
  /**
   * Selects base parameters that train too (a head, biases). If no plugin sets `sites`, `trains` or `encodings`, every
   * parameter trains. `modules` are all of the model.
   */
  readonly trains?: (module: ModuleInfo, parameter: string, modules: ReadonlyArray<ModuleInfo>) => boolean
  /**
   * Makes what takes part in a run, given what is known of it. Called before any work, once a run; throws PluginError for
   * a run that the plugin refuses. Sites and trained parameters stay as they are, and what the plugin changes (`batches`,
   * stages of `gradients`) it also declares before, since others look at it. Default: the contribution as it is.
   */
  readonly prepare?: (run: RunInfo) => Contribution
  /** Messages for the user when a run starts. */
  readonly messages?: ReadonlyArray<TrainMessage>
  /**
   * Figures of the run after a step, such as a spent budget, shown beside the loss: in events, progress line, report and
   * summary. Called for every step, so it must be cheap.
   */
  readonly figures?: (step: number) => Metrics
  /** Notes about the options for the user, such as names that match no module. */
  readonly notes?: (modules: ReadonlyArray<ModuleInfo>) => ReadonlyArray<string>
  /**
   * Encodings in blocks (`./kernels`) that memory keeps base parameters in, which then are frozen, by key: a parameter's
   * Hugging Face name. What it leaves out is kept as `weights` of `Model.load` says. Two plugins that want another encoding of
   * one parameter, a parameter that trains, and rows that are no whole blocks are a PluginError.
   *
   * @param stored Encodings that the model's files hold, by key; undefined before they are open, where only what does
   * not depend on them is wanted. May throw a PluginError.
   */
  readonly encodings?: (
    modules: ReadonlyArray<ModuleInfo>,
    stored: ReadonlyMap<string, BlockFormat> | undefined,
  ) => ReadonlyMap<string, BlockFormat>
  /** Changes of the base model from an earlier run, given its original tree. */
  readonly base?: (modules: ReadonlyArray<ModuleInfo>, tied: Readonly<Record<string, string>>) => BaseChanges
  /** Changes to the loss; `parameters` are keyed `<id>:objective.<name>`. */
  readonly objective?: {
    readonly parameters?: Readonly<Record<string, ParameterSpec>>
    readonly wrap: (next: Objective) => Objective
  }
  /** What it needs of the step. Default: see {@link Requirements}. */
  readonly requires?: Requirements
  /** Changes to the batches. May throw a PluginError: a typed error before training. */
  readonly batches?: (next: BatchSource, context: BatchContext) => BatchSource
  /** Changes to gradients. */
  readonly gradients?: GradientTransforms
  /**
   * Initial values computed from the base weights, for any of the plugin's parameters without values in
   * `artifacts.initial`. The others keep the values of their initializer.
   */
  readonly initialize?: (
    own: ReadonlyArray<Parameter>,
    base: BaseModel,
  ) => Effect.Effect<ReadonlyArray<NamedValues>, Error>
  /**
   * Changes frozen weights of the base once they are loaded, and before the plugin's own first values are computed, whatever
   * files those come from. Two plugins that change one weight are a PluginError.
   */
  readonly changesBase?: (weights: FrozenWeights) => Effect.Effect<void, Error>
  /** Saves and loads the plugin's parameters and the base parameters that it trains. */
  readonly artifacts?: {
    /** Files of an earlier run, from which `load` reads the initial values. */
    readonly initial?: ArtifactFiles
    readonly save: (values: ReadonlyArray<NamedValues>, context: ArtifactContext) => Effect.Effect<ArtifactFiles, Error>
    /**
     * Gives values for the wanted parameters. Missing, unexpected and wrongly shaped tensors are errors. Parameters
     * with `trainable` false (frozen, or of a new module that no plugin trains) may be left out; they keep their
     * values.
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
