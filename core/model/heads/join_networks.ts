/**
 * One tree for several tasks: what their networks share once, and each task's head under its name.
 * @module
 */
import { sameShape } from "../../tensor/shape.ts"
import { ModelError } from "../model_error.ts"
import { descendants, type ModuleNode } from "../module.ts"
import type { Network } from "../network.ts"
import { headPath } from "./model_task.ts"

/** What a model's tasks share of their networks. */
export type SharedNetwork = Omit<Network, "forward" | "weights">

/** Networks in one tree. */
export interface JoinedNetworks {
  readonly network: SharedNetwork
  /** By task: paths in the tree by those in the task's network. */
  readonly paths: Readonly<Record<string, ReadonlyMap<string, string>>>
}

/** Joins networks by task. Modules next to the root are of the head if they say so. Throws {@link ModelError}. */
export function joinNetworks(networks: Readonly<Record<string, Network>>): JoinedNetworks {
  const all = Object.entries(networks)
  const { forward: _, weights: __, ...first } = all[0][1]
  const trunk = new Map<string, ModuleNode>()
  const heads: ModuleNode[] = []
  const paths: Record<string, ReadonlyMap<string, string>> = {}
  for (const [task, { root }] of all) {
    const own = root.children.filter(({ outputHead }) => outputHead)
    for (const child of root.children) {
      if (own.includes(child)) heads.push(named(task, child))
      else trunk.set(child.path, sameModule(trunk.get(child.path), child))
    }
    const inHead = new Set(own.flatMap((child) => [child, ...descendants(child)]))
    const nodes = [root, ...descendants(root)]
    paths[task] = new Map(nodes.map((node) => [node.path, inHead.has(node) ? headPath(task, node.path) : node.path]))
  }
  const each = all.map(([, network]) => network)
  return {
    network: {
      ...first,
      root: { ...first.root, children: [...trunk.values(), ...heads] },
      paddingFree: each.every(({ paddingFree }) => paddingFree),
      architecture: first.architecture.replace(/For[A-Z].*$/, "Model"),
      notes: [...new Set(each.flatMap(({ notes }) => notes))],
    },
    paths,
  }
}

const named = (task: string, node: ModuleNode): ModuleNode => ({
  ...node,
  path: headPath(task, node.path),
  children: node.children.map((child) => named(task, child)),
})

/** A module of the trunk, which all tasks must have alike. */
function sameModule(one: ModuleNode | undefined, other: ModuleNode): ModuleNode {
  if (one === undefined) return other
  for (const [name, { shape }] of Object.entries(one.parameters)) {
    if (sameShape(shape, other.parameters[name]?.shape ?? [])) continue
    const message = `"${other.path}" has another "${name}" for each task and does not say that it is an output head`
    throw new ModelError({ reason: "Unsupported", message })
  }
  return one
}
