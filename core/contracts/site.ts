import type { Tensor } from "../tensor/tensor.ts"
import type { ModuleInfo } from "./module_info.ts"
import type { ParameterSpec } from "./parameter.ts"

/**
 * Which modules: a string is a regular expression that must match the whole path; a list matches a path exactly or its
 * end after a dot; `"all-linear"` is every Linear but the output head; a function decides by structure.
 */
export type Selector = string | ReadonlyArray<string> | ((module: ModuleInfo) => boolean)

/** What a site's function sees while a graph is built. */
export interface SiteScope {
  /** One of the site's parameters, own or shared. */
  readonly parameter: (name: string) => Tensor
  /** One of the module's own parameters, as in the base model. */
  readonly base: (name: string) => Tensor
  /** Whether dropout is on. */
  readonly training: boolean
  /** Dropout with randomness of its own; the identity outside of training. */
  readonly dropout: (x: Tensor, rate: number) => Tensor
}

/** Keys and values that attention sees before the sequence's own: [1 or B, keyValueHeads, length, headDim]. */
export interface KeyValues {
  /** Not rotated. */
  readonly keys: Tensor
  /** Of the same shape up to the width. */
  readonly values: Tensor
}

/** Where a part of a layer ends: its output y is added to what came in, and normed in families that norm afterwards. */
export interface Residual {
  /** What the part's output is added to, of the same shape. */
  readonly input: Tensor
  /** The family's own end: y + input, or the norm of it. */
  readonly join: (y: Tensor) => Tensor
}

/** What a site does to the modules it selects; the order of sites of one place follows the plugins' order. */
export type SitePlan =
  /** Replaces the module's input, for whatever is added to its output too: forward(x). */
  | SitePlanOf<"before", (scope: SiteScope, x: Tensor) => Tensor>
  /** Adds to the module's output: y + forward(x). For Embedding x holds indices (i32). */
  | DeltaPlan
  /** Adds to a block's output: y + forward(x). */
  | SitePlanOf<"parallel", (scope: SiteScope, x: Tensor) => Tensor>
  /** Replaces the module's output: forward(y). */
  | SitePlanOf<"after", (scope: SiteScope, y: Tensor) => Tensor>
  /**
   * Replaces the output y of a module with `residual` before it is added to the residual stream (and after the model's
   * own dropout).
   */
  | ResidualPlan
  /** Keys and values before an Attention's own, visible to every query. */
  | PrefixPlan<"kv-prefix", KeyValues>
  /** Rows before the Backbone's embedded tokens, [length, hiddenSize]; positions shift, outputs drop them again. */
  | PrefixPlan<"input-prefix", Tensor>

/** One kind of {@link SitePlan}. */
export interface SitePlanOf<Place extends string, Forward> {
  /** What the function does to the module. */
  readonly place: Place
  /** New parameters by name; each becomes `<plugin id>:<module path>.<name>`. */
  readonly parameters: Readonly<Record<string, ParameterSpec>>
  /** New parameters that all modules of the plugin's sites have in common: `<plugin id>:shared.<name>`, made once. */
  readonly shared?: Readonly<Record<string, ParameterSpec>>
  /** A plain function over symbolic tensors. */
  readonly forward: Forward
  /**
   * How the change folds into the module's parameters, by their names, so that the site can be left out: for merging. A
   * text says why it does not. Default: it does not.
   */
  readonly merge?: Readonly<Record<string, MergeInto>> | string
}

/**
 * A parameter with a site's change in it. `value` holds changes of other sites already; this one counts from the loaded
 * value, `scope.base(name)`, as it does in `forward`.
 */
export type MergeInto = (scope: SiteScope, value: Tensor) => Tensor

/** A {@link SitePlan} that puts rows before those of a sequence. */
export interface PrefixPlan<Place extends string, Rows> extends SitePlanOf<Place, (scope: SiteScope) => Rows> {
  /** Number of rows that `forward` gives. */
  readonly length: number
}

/** A {@link SitePlan} that adds to a module's output. */
export interface DeltaPlan extends SitePlanOf<"delta", (scope: SiteScope, x: Tensor) => Tensor> {
  /**
   * Where forward(x) is x down^T up^T, its factors: in a batch whose rows go through different plugins, two products then
   * do for all of them. Undefined where it is not so, as with dropout. Default: never so; each plugin's whole output is
   * made, and each row takes its own.
   */
  readonly factors?: (scope: SiteScope) => Factors | undefined
  /**
   * True where the sum is what a module of the plugin's own would give in this one's stead: this one's parameters then do
   * not train because they are new, and no two such sites can be at work in one row. Default false.
   */
  readonly instead?: boolean
}

/** A narrow product. */
export interface Factors {
  /** [rank, inFeatures]. */
  readonly down: Tensor
  /** [outFeatures, rank]. */
  readonly up: Tensor
}

/** A {@link SitePlan} where a part of a layer ends. */
export interface ResidualPlan
  extends SitePlanOf<"residual", (scope: SiteScope, y: Tensor, residual: Residual) => Tensor> {
  /** False where the last such site at a module gives what the layer goes on with: nothing is added or normed. Default true. */
  readonly joins?: boolean
}

/**
 * A change to the model, as data. Sites are resolved against the original tree and folded together, so the result does
 * not depend on the order in which plugins were built.
 */
export interface Site {
  /** Modules to change. */
  readonly select: Selector
  /** Modules to leave out; it wins over `select`. */
  readonly exclude?: Selector
  /** Needs structure alone, so a conflict shows before any weight is loaded. Throws a PluginError. */
  readonly plan: (module: ModuleInfo) => SitePlan
}
