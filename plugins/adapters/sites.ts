/**
 * Sites of adapters: they change the output of a part of a layer.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { ParameterSpec } from "../../core/contracts/parameter.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import type { Residual, Site, SiteScope } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import { type AdapterScope, applyAdapter, bottleneckParameters, enter, isPlaced, transform } from "./bottleneck.ts"
import { type Composition, fusionsOf, membersOf } from "./composition.ts"
import { applyFusion, fusionParameters } from "./fusion.ts"
import type { ResolvedAdapter } from "./options.ts"

/** An adapter of a composition. */
export interface ResolvedMember extends ResolvedAdapter {
  /** Prefix of its parameters' names: empty for a single adapter, otherwise its name and a dot. */
  readonly prefix: string
  /** Whether training changes it. */
  readonly trainable: boolean
}

/** Checks that the members of a composition are compatible. Throws {@link PluginError}. */
export function checkComposition(composition: Composition<ResolvedMember>, plugin: string): void {
  const fail = (message: string): never => {
    throw pluginError(plugin, `${message}`)
  }
  const names = membersOf(composition).map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) fail(`two adapters are called "${twice}"; give one of them another name`)
  if (composition.type === "Stack") composition.children.forEach((child) => checkComposition(child, plugin))
  if (composition.type !== "Average" && composition.type !== "Fuse") return
  const [first, ...others] = composition.members
  for (const field of ["isParallel", "originalLnBefore", "residualBeforeLn", "originalLnAfter"] as const) {
    const other = others.find((member) => member[field] !== first[field])
    if (other === undefined) continue
    fail(
      `${composition.type} needs adapters of one ${field}: "${first.name}" has ${first[field]}, ` +
        `"${other.name}" ${other[field]}`,
    )
  }
  if (composition.type === "Fuse" && first.isParallel) {
    fail("parallel adapters cannot be fused; take sequential ones, such as seq_bn, or average them")
  }
}

export function sitesOf(composition: Composition<ResolvedMember>, plugin: string): ReadonlyArray<Site> {
  const members = membersOf(composition)
  return [{
    select: (module) => members.some((member) => isPlaced(member, module)),
    plan: (module) => {
      const here = at(composition, module, plugin)
      const parameters: Record<string, ParameterSpec> = {}
      const add = (prefix: string, specs: Readonly<Record<string, ParameterSpec>>, trainable: boolean) => {
        for (const [name, spec] of Object.entries(specs)) parameters[prefix + name] = { ...spec, trainable }
      }
      for (const member of membersOf(here)) {
        add(member.prefix, bottleneckParameters(member, module, plugin), member.trainable)
      }
      for (const fusion of fusionsOf(here)) add(`${fusion.name}.`, fusionParameters(fusion, module), true)
      return {
        place: "residual",
        parameters,
        forward: (scope, y, residual) => apply(here, scope, y, residual),
        merge: "a bottleneck with an activation is no change of a weight; save adapters",
        joins: membersOf(here).at(-1)!.originalLnAfter,
      }
    },
  }]
}

/** The part of a composition that applies at a module. */
function at(
  composition: Composition<ResolvedMember>,
  module: ModuleInfo,
  plugin: string,
): Composition<ResolvedMember> {
  if (composition.type === "Stack") {
    const children = composition.children.filter((child) => membersOf(child).some((member) => isPlaced(member, module)))
    return { type: "Stack", children: children.map((child) => at(child, module, plugin)) }
  }
  if (composition.type === "single") return composition
  const missing = composition.members.find((member) => !isPlaced(member, module))
  if (missing === undefined) return composition
  throw pluginError(
    plugin,
    `${composition.type} needs adapters at the same places; "${missing.name}" has none at ` +
      `"${module.path}"`,
  )
}

function apply(composition: Composition<ResolvedMember>, scope: SiteScope, y: Tensor, residual: Residual): Tensor {
  switch (composition.type) {
    case "single": {
      const { member } = composition
      return applyAdapter(member, within(scope, member.prefix), enter(member, y, residual))
    }
    case "Stack":
      return composition.children.reduce((before, child) => apply(child, scope, before, residual), y)
    case "Average":
      return composition.members
        .map((member, i) => {
          const output = applyAdapter(member, within(scope, member.prefix), enter(member, y, residual))
          return ops.mul(output, composition.weights[i])
        })
        .reduce((a, b) => ops.add(a, b))
    case "Fuse": {
      const { members, fusion } = composition
      const entry = enter(members[0], y, residual)
      const outputs = members.map((member) => transform(member, within(scope, member.prefix), entry.input))
      return ops.add(applyFusion(fusion, within(scope, `${fusion.name}.`), entry.input, outputs), entry.residual)
    }
  }
}

function within({ parameter, dropout }: SiteScope, prefix: string): AdapterScope {
  return { parameter: (name) => parameter(prefix + name), dropout }
}
