import * as ops from "../tensor/ops.ts"
import { makeScope } from "./_scope.ts"
import type { ModuleNode } from "./module.ts"
import type { SiteTable } from "./sites.ts"

/** Positions that prefixes of methods take before a sequence, from the graphs of the prefixes alone. */
export function positionsTaken(nodes: ReadonlyArray<ModuleNode>, { byModule, parameters }: SiteTable): number {
  const shapes = new Map(parameters.map(({ key, shape }) => [key, shape]))
  const scope = makeScope({
    sitesAt: (path) => byModule.get(path) ?? [],
    tensor: (key) => ops.input(key, shapes.get(key)!),
    training: false,
    key: undefined,
    decoding: undefined,
  })
  const most = (kind: string, length: (node: ModuleNode) => number | undefined): number =>
    Math.max(0, ...nodes.filter((node) => node.kind === kind).map((node) => length(node) ?? 0))
  return most("Attention", (node) => scope.keyValues(node)?.keys.shape[2]) +
    most("Backbone", (node) => scope.inputPrefix(node)?.shape[0])
}
