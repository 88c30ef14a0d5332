/**
 * Linear modules that an adapter has for itself, in the stead of the model's.
 * @module
 */
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { Initializer, Parameter } from "../../core/contracts/parameter.ts"
import { pluginError } from "../../core/contracts/plugin_error.ts"
import type { SitePlan } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { ResolvedOptions } from "./options.ts"

const ZEROS: Initializer = { kind: "zeros" }

/** A module of the adapter's own. Its first values are those of the model's. */
export function planOwn({ id }: ResolvedOptions, { path, kind, parameters }: ModuleInfo): SitePlan {
  if (kind !== "Linear") {
    throw pluginError(id, `ownModules is for Linear modules; "${path}" is ${kind}: leave it out of modulesToSave`)
  }
  const shapes = Object.entries(parameters)
  return {
    place: "delta",
    instead: true,
    parameters: Object.fromEntries(shapes.map(([name, shape]) => [name, { shape, initializer: ZEROS }])),
    merge: `${id} has modules of its own, which cannot be merged; load it without ownModules`,
    forward: (scope, x) => {
      // What the model's gives is there already.
      const change = (name: string) => ops.sub(scope.parameter(name), scope.base(name))
      const y = ops.matmul(x, change("weight"), { transposeB: true })
      return parameters.bias === undefined ? y : ops.add(y, change("bias"))
    },
  }
}

/** Whether a parameter belongs to such a module. */
export function isOwn({ id }: ResolvedOptions, { owner, name }: Parameter): boolean {
  return owner === id && (name === "weight" || name === "bias")
}

/** A parameter as files have it: modules of an adapter's own under the model's names. */
export function asInFiles(options: ResolvedOptions, parameter: Parameter): Parameter {
  if (!isOwn(options, parameter)) return parameter
  const { module, name } = parameter
  return { ...parameter, owner: "base", key: `${module}.${name}` }
}
