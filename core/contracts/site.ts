import type { Tensor } from "../tensor/tensor.ts"
import type { ModuleInfo } from "./module_info.ts"
import type { ParameterSpec } from "./parameter.ts"

/**
 * Selects modules. A string is a regular expression for the whole path; a list has paths or their ends after a dot;
 * `"all-linear"` is every Linear except the output head; a function decides by structure.
 */
export type Selector = string | ReadonlyArray<string> | ((module: ModuleInfo) => boolean)

/** What a site's function can use while a graph is traced. */
export interface SiteScope {
  /** A parameter of the site, its own or shared. */
  readonly parameter: (name: string) => Tensor
  /** A parameter of the module, as in the base model. */
  readonly base: (name: string) => Tensor
  /** Name of the batch's task; `"default"` in a model of one without a name. */
  readonly task: string
  /** Whether dropout is on. */
  readonly training: boolean
  /** Dropout with independent random numbers; the identity outside training. */
  readonly dropout: (x: Tensor, rate: number) => Tensor
}

/** Keys and values before those of the sequence: [1 or B, keyValueHeads, length, headDim]. */
export interface KeyValues {
  /** Keys, without rotary positions. */
  readonly keys: Tensor
  /** Values, of the same shape except the width. */
  readonly values: Tensor
}

/** The end of a part of a layer: its output y is added to the part's input, with the norms and factors of the family. */
export interface Residual {
  /** The part's input, of the same shape as its output. */
  readonly input: Tensor
  /** The family's end of the part: y + input; or the norm of that, or y normed or scaled first. */
  readonly join: (y: Tensor) => Tensor
}

/** What a site does to a selected module. Sites of one kind apply in the plugins' order. */
export type SitePlan =
  /** Replaces the module's input, also for sites that add to its output: forward(x). */
  | SitePlanOf<"before", (scope: SiteScope, x: Tensor) => Tensor>
  /** Stands in for the module, whose own output is not computed: forward(x). One site at a module. */
  | SitePlanOf<"replace", (scope: SiteScope, x: Tensor) => Tensor>
  /** Adds to the module's output: y + forward(x). For Embedding x holds indices (i32). */
  | DeltaPlan
  /** Adds to a block's output: y + forward(x). */
  | SitePlanOf<"parallel", (scope: SiteScope, x: Tensor) => Tensor>
  /** Replaces the module's output: forward(y). */
  | SitePlanOf<"after", (scope: SiteScope, y: Tensor) => Tensor>
  /**
   * Replaces the output y of a module that has `residual`, after the model's dropout and before it is added to the
   * residual stream.
   */
  | ResidualPlan
  /** Keys and values before an Attention's own, visible to every query. */
  | PrefixPlan<"kv-prefix", KeyValues>
  /** Rows before the Backbone's embedded tokens, [length, hiddenSize], or for each row of the batch [B, length, hiddenSize]; positions shift, outputs exclude them. */
  | PrefixPlan<"input-prefix", Tensor>

/** One kind of {@link SitePlan}. */
export interface SitePlanOf<Place extends string, Forward> {
  /** Kind of change. */
  readonly place: Place
  /** New parameters by name; each becomes `<plugin id>:<module path>.<name>`. */
  readonly parameters: Readonly<Record<string, ParameterSpec>>
  /** New parameters that all sites of the plugin share: `<plugin id>:shared.<name>`, made once. */
  readonly shared?: Readonly<Record<string, ParameterSpec>>
  /** A plain function over symbolic tensors. */
  readonly forward: Forward
  /** How to fold the change into the module's parameters, by their names, or a text with the reason why not. Default: not possible. */
  readonly merge?: Readonly<Record<string, MergeInto | MergeIntoOffsets>> | string
}

/**
 * A parameter with a site's change in it. `value` already includes changes of other sites; this change is relative to the
 * loaded value, `scope.base(name)`, as in `forward`.
 */
export type MergeInto = (scope: SiteScope, value: Tensor) => Tensor

/**
 * A change that all elements of a group share, groups lying along a matrix' last axis: what is added to the offsets of
 * the groups, [rows, groups]. Over a weight in affine blocks that the groups are multiples of, all codes stay as they are.
 */
export interface MergeIntoOffsets {
  /** [rows, groups]. */
  readonly offsets: (scope: SiteScope) => Tensor
}

/** A {@link SitePlan} that adds rows before those of a sequence. */
export interface PrefixPlan<Place extends string, Rows> extends SitePlanOf<Place, (scope: SiteScope) => Rows> {
  /** Number of rows from `forward`. */
  readonly length: number
}

/** A {@link SitePlan} that adds to a module's output. */
export interface DeltaPlan extends SitePlanOf<"delta", (scope: SiteScope, x: Tensor) => Tensor> {
  /**
   * The factors if forward(x) is x down^T up^T, else undefined (as with dropout). A batch whose rows use different
   * plugins then needs two products in total. Default: every plugin computes its whole output, and each row selects its
   * own.
   */
  readonly factors?: (scope: SiteScope) => Factors | undefined
  /**
   * True if the sum equals the output of a replacement module owned by the plugin. The original module's parameters
   * then do not train even if they are new, and one row can use only one such site. Default false.
   */
  readonly instead?: boolean
}

/** Factors of a low-rank product. */
export interface Factors {
  /** [rank, inFeatures]. */
  readonly down: Tensor
  /** [outFeatures, rank]. */
  readonly up: Tensor
}

/** A {@link SitePlan} at the end of a part of a layer. */
export interface ResidualPlan
  extends SitePlanOf<"residual", (scope: SiteScope, y: Tensor, residual: Residual) => Tensor> {
  /** False if the output of the last such site already includes residual and norm. Default true. */
  readonly joins?: boolean
}

/**
 * A change to the model, as data. Sites are resolved against the original tree and folded together, so the result does
 * not depend on the order in which plugins were built.
 */
export interface Site {
  /** Modules to change. */
  readonly select: Selector
  /** Modules to exclude; takes precedence over `select`. */
  readonly exclude?: Selector
  /** Plans the change from the module's structure, before weights are loaded. Throws PluginError on a conflict. */
  readonly plan: (module: ModuleInfo) => SitePlan
}
