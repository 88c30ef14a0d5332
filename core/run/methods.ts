import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PluginError } from "../contracts/plugin_error.ts"
import type { Plugins } from "../contracts/plugins.ts"
import { faultsOf, mustBe } from "../options/check.ts"
import type { Field, Fields } from "../options/field.ts"
import * as field from "../options/fields.ts"

/** Layer of a method. Fails with {@link PluginError} if options contradict each other. */
export type MethodLayer = Layer.Layer<never, PluginError, Plugins | FileSystem.FileSystem>

/** A method that a run can name. */
export interface RunMethod {
  /** Its options as a table. */
  readonly options: Fields
  /** Makes its layer from options. */
  readonly layer: (options: never) => MethodLayer
  /** Methods of which a run must name one: its layer is given the services of those that are there. Default: none. */
  readonly needs?: ReadonlyArray<string>
}

/** Methods by their names in runs. */
export type RunMethods = Readonly<Record<string, RunMethod>>

/** A method of a run: its name, and its options. */
export interface MethodSpec {
  /** Which method. */
  readonly method: string
  /** Distinguishes several of one method. Default `"default"`. */
  readonly name?: string
  /** Options of the method. */
  readonly [option: string]: unknown
}

/** A method with the options of the method that it names. */
export function methodField(methods: RunMethods): Field<MethodSpec> {
  const method = field.choice(Object.keys(methods), { required: true, doc: "Which method" })
  return {
    anyOf: Object.entries(methods).map(([name, { options }]) => ({
      type: "object",
      properties: { method: { ...method, enum: [name] }, ...options },
    })),
    faults: (value, at) => {
      if (typeof value !== "object" || value === null) return [mustBe(at, "an object with a method", value)]
      const name = (value as Partial<MethodSpec>).method
      if (name === undefined || !Object.hasOwn(methods, name)) return faultsOf({ method }, { method: name }, at)
      return faultsOf({ method, ...methods[name].options }, value, at)
    },
  }
}

/** Methods that need another one which a run does not name. */
export function needProblems(specs: ReadonlyArray<MethodSpec>, methods: RunMethods): ReadonlyArray<string> {
  return specs.flatMap(({ method }, i) => {
    const { needs } = methods[method]
    if (needs === undefined || specs.some((other) => needs.includes(other.method))) return []
    return [`methods[${i}] is ${method}, which needs the method ${needs.join(" or ")}: add { "method": "${needs[0]}" }`]
  })
}

/** The layers of a run's methods. */
export function layersOf(specs: ReadonlyArray<MethodSpec>, methods: RunMethods): ReadonlyArray<MethodLayer> {
  const made = specs.map(({ method, ...options }) => [method, methods[method].layer(options as never)] as const)
  return made.map(([method, layer]) => {
    const needed = made.filter(([other]) => methods[method].needs?.includes(other)).map(([, layer]) => layer)
    return needed.reduce((layer, services) => Layer.provide(layer, services), layer)
  })
}
