/**
 * Encodings that plugins keep base parameters in.
 * @module
 */
import type { BlockEncoding } from "../../../kernels/encoding.ts"
import type { Contribution } from "../../contracts/contribution.ts"
import type { ModuleInfo } from "../../contracts/module_info.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import { pluginError } from "../../contracts/plugin_error.ts"
import type { BlockFormat } from "../../tensor/block_format.ts"
import type { Ties } from "../../weights/weight_map.ts"
import { baseKey } from "../module.ts"

/** An encoding and the plugin that wants it. */
export interface WantedEncoding {
  readonly plugin: string
  readonly encoding: BlockEncoding
}

/** Encodings by the key of the parameter. */
export type WantedEncodings = ReadonlyMap<string, WantedEncoding>

/** What is known of a model's tree when plugins are asked. */
interface Tree {
  readonly contributions: ReadonlyArray<Contribution>
  readonly modules: ReadonlyArray<ModuleInfo>
  readonly parameters: ReadonlyArray<Parameter>
}

/**
 * What plugins want base parameters to be kept in. Throws PluginError where it cannot be.
 *
 * @param stored Encodings of the files; undefined before they are open.
 */
export function wantedEncodings(
  { contributions, modules, parameters }: Tree,
  tied: Ties,
  stored: ReadonlyMap<string, BlockFormat> | undefined,
): WantedEncodings {
  const shapes = new Map(parameters.map(({ key, shape }) => [key, shape]))
  const wanted = new Map<string, WantedEncoding>()
  for (const { id, encodings } of contributions) {
    for (const [name, format] of encodings?.(modules, stored) ?? []) {
      const key = tied[name] ?? name
      const shape = shapes.get(key)
      if (shape === undefined) throw pluginError(id, `it names "${name}", which is no parameter of the base`)
      const width = shape.length < 2 ? 0 : shape.at(-1)!
      if (width === 0 || width % format.block !== 0) {
        throw pluginError(
          id,
          `"${key}" [${shape}] cannot be kept in ${format.name}: ` +
            (shape.length < 2
              ? "only matrices have blocks along rows"
              : `its rows of ${width} are no whole blocks of ${format.block}; take another block size, or leave the module out`),
        )
      }
      const other = wanted.get(key)
      if (other !== undefined && other.encoding !== format) {
        throw pluginError(
          id,
          `"${key}" is to be kept in ${format.name}, and in ${other.encoding.name} by ${other.plugin}; ` +
            "leave its module out of one of them",
        )
      }
      wanted.set(key, { plugin: id, encoding: format as BlockEncoding })
    }
  }
  return wanted
}

/** Modules with the encodings that their parameters are kept in. */
export function withEncodings(
  modules: ReadonlyArray<ModuleInfo>,
  tied: Ties,
  wanted: WantedEncodings,
  stored: ReadonlyMap<string, BlockFormat> | undefined,
): ReadonlyArray<ModuleInfo> {
  return modules.map((module) => {
    const own = Object.keys(module.parameters).flatMap((name) => {
      const key = baseKey(module.path, name)
      const format = wanted.get(tied[key] ?? key)?.encoding ?? stored?.get(tied[key] ?? key)
      return format === undefined ? [] : [[name, format] as const]
    })
    return own.length === 0 && stored === undefined ? module : { ...module, encodings: Object.fromEntries(own) }
  })
}

/** Throws PluginError where a parameter that trains is to be kept in blocks, which steps do not write. */
export function checkFrozen(
  base: ReadonlyArray<Parameter>,
  trains: (parameter: Parameter) => boolean,
  wanted: WantedEncodings,
): void {
  for (const parameter of base) {
    const own = wanted.get(parameter.key)
    if (own === undefined || !trains(parameter)) continue
    throw pluginError(
      own.plugin,
      `"${parameter.key}" trains, so it cannot be kept in ${own.encoding.name}; leave its module out of what is ` +
        "quantized, or out of what trains whole",
    )
  }
}
