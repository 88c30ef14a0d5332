/**
 * Several adapters in one model, by AdapterHub's blocks: one after the other, averaged, or fused.
 * @module
 */
import { pluginError } from "../../core/contracts/plugin_error.ts"
import { withDefaults } from "../../core/options/check.ts"
import type { Field, OptionTable } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import { checkOptions, demandOf } from "../../core/options/method_options.ts"
import type { AdapterOptions } from "./options.ts"

/** A saved adapter in AdapterHub's files; its name is kept. */
export interface SavedAdapter {
  /** Directory of `adapter_config.json` and `adapter.safetensors`. */
  readonly directory: string
  /** Another name for it in this model. Default: the one in the file. */
  readonly name?: string
  /** Whether it trains. Default true; in a composition with {@link fuse} false. */
  readonly trainable?: boolean
}

/** An adapter of a composition: a new one, or a saved one. */
export type Member = AdapterOptions | SavedAdapter

/** Members one after the other. */
export interface StackSetup {
  /** Kind of block. */
  readonly type: "Stack"
  /** In order; each adapts the output of the previous one. */
  readonly children: ReadonlyArray<Member | AverageSetup | FuseSetup>
}

/** The weighted mean of members' outputs. */
export interface AverageSetup {
  /** Kind of block. */
  readonly type: "Average"
  /** At least two; all have the same places. */
  readonly children: ReadonlyArray<Member>
  /** One for each, scaled so that their sum is 1. Default: all the same. */
  readonly weights?: ReadonlyArray<number>
}

/** Options of AdapterFusion. */
export interface FusionOptions {
  /**
   * `"dynamic"`: with a value matrix, initially the identity and regularized towards it. `"static"`: without one.
   * Default `"dynamic"`.
   */
  readonly config?: "dynamic" | "static"
  /** Whether to add 0.01 ||I - V||^2 of each value matrix to the loss. Default: true if there are value matrices. */
  readonly regularization?: boolean
  /** Dropout on the scores before the softmax. Default 0 (AdapterHub: that of the model's attention). */
  readonly dropoutProb?: number
}

/** Attention over members, with its own parameters. */
export interface FuseSetup extends FusionOptions {
  /** Kind of block. */
  readonly type: "Fuse"
  /** At least two; all have the same places. */
  readonly children: ReadonlyArray<Member>
}

/** Several adapters as one method. */
export type AdapterSetup = StackSetup | AverageSetup | FuseSetup

/** Members one after the other: each adapts the output of the previous one. */
export function stack(...children: StackSetup["children"]): StackSetup {
  return { type: "Stack", children }
}

/**
 * The mean of members' outputs, sum w_i (h' + A_i(h)) with sum w_i = 1. AdapterHub 1.3 divides that by the number of
 * members once more, so that its output shrinks; here it does not.
 */
export function average(children: AverageSetup["children"], weights?: ReadonlyArray<number>): AverageSetup {
  return { type: "Average", children, ...(weights === undefined ? {} : { weights }) }
}

/**
 * AdapterFusion (Pfeiffer et al. 2020, arXiv 2005.00247, equations 2 to 4), at each place and token:
 * h' + V sum_i a_i A_i(h) with a = softmax((Q h + b_q) . (K A_i(h) + b_k)). Only Q, K, V train, members stay as they are
 * unless told otherwise. {@link FuseSetup} says which options there are.
 */
export function fuse(children: FuseSetup["children"], options: FusionOptions = {}): FuseSetup {
  return { ...options, type: "Fuse", children }
}

/** Options of a fusion, checked and with defaults filled in. */
export interface ResolvedFusion {
  /** Names of its members, joined by commas, as in AdapterHub. */
  readonly name: string
  /** Whether there is a value matrix. */
  readonly value: boolean
  /** Whether the value matrices are regularized towards the identity. */
  readonly regularization: boolean
  /** Dropout on the scores. */
  readonly dropoutProb: number
}

/** A composition with members of any type. */
export type Composition<M> =
  | { readonly type: "single"; readonly member: M }
  | { readonly type: "Stack"; readonly children: ReadonlyArray<Composition<M>> }
  | { readonly type: "Average"; readonly members: ReadonlyArray<M>; readonly weights: ReadonlyArray<number> }
  | { readonly type: "Fuse"; readonly members: ReadonlyArray<M>; readonly fusion: ResolvedFusion }

export function membersOf<M>(composition: Composition<M>): ReadonlyArray<M> {
  if (composition.type === "single") return [composition.member]
  return composition.type === "Stack" ? composition.children.flatMap(membersOf) : composition.members
}

export function fusionsOf<M>(composition: Composition<M>): ReadonlyArray<ResolvedFusion> {
  if (composition.type === "Stack") return composition.children.flatMap(fusionsOf)
  return composition.type === "Fuse" ? [composition.fusion] : []
}

/** Maps the members of a composition; names of fusions follow. */
export function mapMembers<A, B extends { readonly name: string }>(
  composition: Composition<A>,
  change: (member: A) => B,
): Composition<B> {
  switch (composition.type) {
    case "single":
      return { type: "single", member: change(composition.member) }
    case "Stack":
      return { type: "Stack", children: composition.children.map((child) => mapMembers(child, change)) }
    case "Average":
      return { ...composition, members: composition.members.map(change) }
    case "Fuse": {
      const members = composition.members.map(change)
      return { type: "Fuse", members, fusion: { ...composition.fusion, name: members.map(({ name }) => name).join() } }
    }
  }
}

/** Maps the fusions of a composition. */
export function mapFusions<M>(
  composition: Composition<M>,
  change: (fusion: ResolvedFusion) => ResolvedFusion,
): Composition<M> {
  if (composition.type === "Fuse") return { ...composition, fusion: change(composition.fusion) }
  if (composition.type !== "Stack") return composition
  return { ...composition, children: composition.children.map((child) => mapFusions(child, change)) }
}

/** Fields of every block; their children are checked one by one. */
const BLOCK: Readonly<Record<"type" | "children", Field<unknown>>> = { type: {}, children: {} }
const AVERAGE = { ...BLOCK, weights: field.list(field.number({}), {}) }
const FUSION: OptionTable<FusionOptions> = {
  config: field.choice(["dynamic", "static"], { default: "dynamic" }),
  regularization: field.boolean({ default: ({ config }) => config === "dynamic" }),
  dropoutProb: field.number({ minimum: 0, exclusiveMaximum: 1, default: 0 }),
}

/** Checks the blocks of a setup; members are not changed. Throws {@link PluginError}. */
export function resolveSetup(setup: AdapterSetup, plugin: string): Composition<Member> {
  const must = demandOf(plugin)
  const block = (given: Member | AdapterSetup, inside: boolean): Composition<Member> => {
    if (!("type" in given)) return { type: "single", member: given }
    const { type, children } = given
    must(["Stack", "Average", "Fuse"].includes(type), "type", '"Stack", "Average" or "Fuse"', type)
    must(Array.isArray(children) && children.length > 0, `children of ${type}`, "a list of adapters", children)
    if (type === "Stack") {
      checkOptions(plugin, BLOCK, given)
      if (inside) throw pluginError(plugin, `a Stack cannot stand inside of a Stack`)
      return { type, children: children.map((child) => block(child, true)) }
    }
    must(children.length > 1, `children of ${type}`, "at least two adapters", children.length)
    const nested = children.find((child) => "type" in child)
    if (nested !== undefined) {
      throw pluginError(plugin, `${type} takes single adapters, not a block of type ${JSON.stringify(nested)}`)
    }
    if (type === "Average") {
      checkOptions(plugin, AVERAGE, given)
      const { weights = children.map(() => 1) } = given
      const sum = weights.reduce((a, b) => a + b, 0)
      must(weights.length === children.length, "weights", `${children.length} numbers, one for each adapter`, weights)
      must(sum !== 0, "weights", "numbers with a sum other than 0", weights)
      return { type, members: children, weights: weights.map((weight) => weight / sum) }
    }
    const { type: _, children: __, ...options } = given
    checkOptions(plugin, FUSION, options)
    const { config, regularization, dropoutProb } = withDefaults(FUSION, options)
    must(!regularization || config === "dynamic", "regularization", "false where there is no value matrix", true)
    return { type, members: children, fusion: { name: "", value: config === "dynamic", regularization, dropoutProb } }
  }
  return block(setup, false)
}
