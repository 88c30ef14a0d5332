import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
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

/** The layers of a run's methods. */
export function layersOf(specs: ReadonlyArray<MethodSpec>, methods: RunMethods): ReadonlyArray<MethodLayer> {
  return specs.map(({ method, ...options }) => methods[method].layer(options as never))
}
