/**
 * A model: modules of a family, parameters in a backend's memory, and the methods of plugins folded in.
 * @module
 */
import type * as Scope from "effect/Scope"
import type { Contribution } from "../contracts/contribution.ts"
import type { ModuleInfo } from "../contracts/module_info.ts"
import type { BatchTensors, Outputs } from "../contracts/objective.ts"
import type { Parameter } from "../contracts/parameter.ts"
import type { BackendService, Slot } from "../backend/backend.ts"
import type { TaskOf } from "../tasks/task.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { Ties } from "../weights/weight_map.ts"
import type { AdapterBank } from "./sites/adapter_bank.ts"
import type { Choice } from "./sites/choice.ts"
import type { Decoding } from "./module.ts"
import type { SharedNetwork } from "./heads/join_networks.ts"
import type { ModelTask } from "./heads/model_task.ts"
import type { ResolvedSite } from "./sites/sites.ts"

/** A parameter with memory. */
export interface ModelParameter extends Parameter {
  /** Whether training changes it. */
  readonly trainable: boolean
  /** Its memory. */
  readonly slot: Slot
  /** The slot's value in graphs: one node for the model's life, so that gradients can name it. */
  readonly tensor: Tensor
  /** A base parameter that trains beside methods keeps its loaded value here, for the model with methods off. */
  readonly original?: { readonly slot: Slot; readonly tensor: Tensor }
}

/** How {@link Model.forward} builds a graph. */
export interface ForwardOptions {
  /** Whether dropout is on. */
  readonly training: boolean
  /** Whether a derivative computes the inner values of blocks again instead of keeping them. Default false. */
  readonly checkpointing?: boolean
  /** Key of random numbers, two i32 scalars; needed where there is dropout. */
  readonly key?: readonly [Tensor, Tensor]
  /** False gives the base model as it was loaded: no sites, no trained base parameters. Default true. */
  readonly methods?: boolean
  /** Memory of earlier tokens, for generating text. */
  readonly decoding?: Decoding
  /** Which plugin each row goes through. Default: all rows through all plugins. */
  readonly choice?: Choice
  /** The slot of each row's adapter in {@link Model.bank}, i32 [B]. Default: the bank plays no part. */
  readonly adapters?: Tensor
}

/** A model. */
export interface Model {
  /** Where it was loaded from; empty for one made from a config alone. */
  readonly directory: string
  /** Where its tokenizer and other files beside the weights lie. Default: `directory`. */
  readonly companions?: string
  /** What the model is for. Of several tasks the first: `view({ task })` is a model of one of them. */
  readonly task: TaskOf
  /** Its tasks by the names that batches give; one that was loaded without a name is called `default`. */
  readonly tasks: Readonly<Record<string, ModelTask>>
  /** Its `config.json`, as it is, but for ties that the weights do not bear out. */
  readonly config: Readonly<Record<string, unknown>>
  /** All modules but the root, parents first. */
  readonly modules: ReadonlyArray<ModuleInfo>
  /** The plugins at work, in order. */
  readonly contributions: ReadonlyArray<Contribution>
  /** Base parameters in the tree's order, then those of plugins. Tied ones are listed once. */
  readonly parameters: ReadonlyArray<ModelParameter>
  /** What plugins change, by the path of the module, in the plugins' order. */
  readonly sites: ReadonlyMap<string, ReadonlyArray<ResolvedSite>>
  /** Structure, as the family built it: of several tasks the trunk, and each task's head under `heads.<task>`. */
  readonly network: SharedNetwork
  /** Tied parameters that the files bear out. */
  readonly tied: Ties
  /** Where its parameters lie and its graphs run. */
  readonly backend: BackendService
  /** What is made for the model (compiled programs) is freed with it; it ends before the parameters' memory. */
  readonly scope: Scope.Scope
  /** What was put into blocks of few bits while it was loaded, and what that lost. */
  readonly encoded: ReadonlyArray<EncodedWeight>
  /** Adapters that rows have beside the plugins. Default: none. */
  readonly bank?: AdapterBank
  /** What a person should know: a head that starts anew, parts of the config that play no part. */
  readonly notes: ReadonlyArray<string>
  /** Ids of plugins whose updates lie in {@link Model.folded}: graphs leave out their sites. */
  readonly merged: ReadonlySet<string>
  /** Ids of plugins that are off: graphs leave out their sites, and base parameters that they alone train are as loaded. */
  readonly off: ReadonlySet<string>
  /** Base parameters with updates in them, by key. */
  readonly folded: ReadonlyMap<string, FoldedWeight>
  /** What graphs read for a parameter; for a base parameter its value as loaded, if that is asked for. */
  readonly tensor: (key: string, original: boolean) => Tensor
  /** Builds the graph of a batch, with the head of its task. A plain function: nothing runs. */
  readonly forward: (batch: BatchTensors, options: ForwardOptions) => Outputs
  /**
   * The model with other plugins on, or with one of its tasks: another value over the same memory, with programs of its
   * own, which are kept until its scope closes. Throws PluginError on a plugin that is not there or that is merged,
   * ModelError on a task that is not there.
   */
  readonly view: (options: ViewOptions) => Model
}

/** A weight that was put into blocks of few bits while it was loaded. */
export interface EncodedWeight {
  /** The parameter's key. */
  readonly key: string
  /** Name of the encoding. */
  readonly encoding: string
  /** Number of weights. */
  readonly elements: number
  /** Bits a weight in memory. */
  readonly bits: number
  /** Length of the error over length of the weights: |decoded - w| / |w|. */
  readonly relativeError: number
  /** Mean of |decoded - w|. */
  readonly meanAbsoluteError: number
}

/** Memory of a base parameter with updates in it. */
export interface FoldedWeight {
  /** Its memory. */
  readonly slot: Slot
  /** The slot's value in graphs. */
  readonly tensor: Tensor
  /** Of one that trains beside methods: its loaded value with the updates, for views without what trains it. */
  readonly original?: { readonly slot: Slot; readonly tensor: Tensor }
}

/** What a view has of a model. Plugins are named by ids (`"method/name"`), or by methods for all of theirs. */
export interface ViewOptions {
  /** One task: a model with that head alone, under the names of a model that was loaded for it. Default: all tasks. */
  readonly task?: string
  /** These, and no others. Default: those that are on. */
  readonly only?: ReadonlyArray<string>
  /** Less these. Default: none. */
  readonly without?: ReadonlyArray<string>
  /** With which what is made for the view is freed. Default: the model's own scope. */
  readonly scope?: Scope.Scope
}

/** What differs between views of a model. */
export type ViewState = Pick<Model, "merged" | "off" | "folded">

/** What a model is made of, all its views alike. */
export type ModelParts = Omit<Model, keyof ViewState | "forward" | "view" | "tensor">
