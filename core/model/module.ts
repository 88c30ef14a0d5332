/**
 * Modules: a tree of named parts. A module is structure (plain data) and a pure function that builds its graph.
 * @module
 */
import type { BackboneInfo, ModuleInfo, ResidualPart, Side } from "../contracts/module_info.ts"
import type { ParameterSpec } from "../contracts/parameter.ts"
import type { KeyValues, Residual } from "../contracts/site.ts"
import type { Shape } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"

/** Structure of a module. */
export interface ModuleNode {
  /** Hugging Face path: `model.layers.0.self_attn.q_proj`; empty for the model itself. */
  readonly path: string
  /** See {@link ModuleInfo.kind}. */
  readonly kind: string
  /** See {@link ModuleInfo.sizes}. */
  readonly sizes: Readonly<Record<string, number>>
  /** The module's own parameters by name, without those of children. */
  readonly parameters: Readonly<Record<string, ParameterSpec>>
  /** Children, in order. */
  readonly children: ReadonlyArray<ModuleNode>
  /** Whether it is the model's output head. */
  readonly outputHead: boolean
  /** See {@link ModuleInfo.residual}; the layer ends such a part with {@link Scope.residual}. */
  readonly residual?: ResidualPart
  /** Of a Backbone, see {@link ModuleInfo.side}. */
  readonly side?: Side
}

/** A module: computes its output from its input and further arguments of its family. */
export interface Module<Extra extends ReadonlyArray<unknown> = []> extends ModuleNode {
  /** Builds the graph; calls children through the scope. */
  readonly forward: (scope: Scope, x: Tensor, ...extra: Extra) => Tensor
}

/** Keys and values that a cache holds for the rows of a batch. */
export interface Kept extends KeyValues {
  /** Where they are the keys and values of more rows: which of those each row of the batch has, i32 [B, 1]. */
  readonly rows?: Tensor
}

/** What modules keep of earlier tokens while text is generated. Only the logits of each row's last token are needed then. */
export interface Decoding {
  /** Number of cached positions before the batch's tokens, by row: i32 [B]. */
  readonly start: Tensor
  /** Whether nothing is cached yet: the rows that methods put before the tokens come with these. */
  readonly first: boolean
  /** Positions that the cache holds for each row. */
  readonly capacity: number
  /**
   * Appends keys and values of the batch's tokens, [B, keyValueHeads, T, headDim], to those of an Attention's earlier ones.
   * Gives what the tokens' queries are compared with: [rows, keyValueHeads, capacity, headDim], of which `start` + T
   * positions of a row are filled.
   */
  readonly extend: (module: ModuleNode, own: KeyValues) => Kept
  /** Keeps keys and values that a CrossAttention makes of its memory for a row's first tokens; gives the kept ones. */
  readonly recall: (module: ModuleNode, own: KeyValues | undefined) => Kept
  /** Positions of the memory that count, by row: i32 [B]; needed after the first tokens. */
  readonly memoryLengths?: Tensor
  /**
   * What a module keeps of each row's earlier tokens beside keys and values, [B, ...shape]: zeros before the first. `next`
   * makes of it what the module keeps after the batch's tokens.
   */
  readonly state: (module: ModuleNode, shape: Shape, next: (before: Tensor) => Tensor) => Tensor
}

/** What modules can use while a graph is traced. */
export interface Scope {
  /** Whether dropout is on. */
  readonly training: boolean
  /** Set while text is generated. */
  readonly decoding: Decoding | undefined
  /** A parameter of a module: the trained value where there is one. */
  readonly parameter: (module: ModuleNode, name: string) => Tensor
  /** A module's output, with the sites of methods folded in: before, then delta, then parallel, then after. */
  readonly call: <Extra extends ReadonlyArray<unknown>>(module: Module<Extra>, x: Tensor, ...extra: Extra) => Tensor
  /** Joins the output y of a module that ends a part, with the sites of methods folded in: these are given `seen`. */
  readonly residual: (module: ModuleNode, y: Tensor, join: (y: Tensor) => Tensor, seen: Residual) => Tensor
  /** Keys and values that methods prepend to those of an Attention. */
  readonly keyValues: (module: ModuleNode) => KeyValues | undefined
  /** Rows that methods prepend to the embedded tokens of a Backbone: [length, hiddenSize] or [B, length, hiddenSize]. */
  readonly inputPrefix: (module: ModuleNode) => Tensor | undefined
  /** Number of rows that methods prepend to those of a module. */
  readonly prefixLength: (module: ModuleNode) => number
  /** The model's own dropout, with a name within the module; the identity outside training. */
  readonly dropout: (module: ModuleNode, place: string, x: Tensor, rate: number) => Tensor
}

/** All descendants of `root`, excluding `root`; parents first. */
export function descendants(root: ModuleNode): ReadonlyArray<ModuleNode> {
  return root.children.flatMap((child) => [child, ...descendants(child)])
}

/** Where modules are in their Backbone, by path. */
export function placesOf(modules: ReadonlyArray<ModuleNode>): ReadonlyMap<string, Pick<ModuleInfo, "side" | "layer">> {
  const places = new Map<string, Pick<ModuleInfo, "side" | "layer">>()
  let before = 0
  for (const backbone of modules.filter(({ kind }) => kind === "Backbone")) {
    const side = backbone.side === undefined ? {} : { side: backbone.side }
    for (const { path } of [backbone, ...descendants(backbone)]) places.set(path, side)
    const layers = backbone.children.filter(({ kind }) => kind === "Block")
    layers.forEach((layer, index) => {
      const place = { ...side, layer: { index, count: layers.length, before } }
      for (const { path } of [layer, ...descendants(layer)]) places.set(path, place)
    })
    before += layers.length
  }
  return places
}

/**
 * The view of a module for plugins.
 *
 * @param defaultTargets Last names of the modules that methods adapt by default.
 * @param backbone The Backbone of the tree.
 * @param place Where it is in its Backbone.
 */
export function infoOf(
  module: ModuleNode,
  defaultTargets: ReadonlyArray<string>,
  backbone?: BackboneInfo,
  place?: Pick<ModuleInfo, "side" | "layer">,
): ModuleInfo {
  const { path, kind, sizes, outputHead, residual } = module
  const parameters: Record<string, Shape> = {}
  for (const [name, spec] of Object.entries(module.parameters)) parameters[name] = spec.shape
  const defaultTarget = defaultTargets.includes(lastName(path))
  return {
    path,
    kind,
    sizes,
    parameters,
    outputHead,
    defaultTarget,
    ...(backbone === undefined ? {} : { backbone }),
    ...(residual === undefined ? {} : { residual }),
    ...place,
  }
}

/** The Backbone among modules, if it is the only one. */
export function backboneOf(modules: ReadonlyArray<ModuleNode>): BackboneInfo | undefined {
  const [found, other] = modules.filter(({ kind }) => kind === "Backbone")
  if (found === undefined || other !== undefined || found.path === "") return undefined
  const within = modules.filter(({ path }) => path.startsWith(`${found.path}.`))
  const parts = within.map(({ path }) => path.slice(found.path.length + 1).split(".")[0])
  return { path: found.path, parts: [...new Set(parts)] }
}

/** Key of a base parameter: its Hugging Face name. */
export function baseKey(module: string, name: string): string {
  return module === "" ? name : `${module}.${name}`
}

/** `q_proj` of `model.layers.0.self_attn.q_proj`. */
export function lastName(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1)
}
