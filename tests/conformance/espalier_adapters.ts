/**
 * The bottleneck adapters of a conformance case, on Espalier's side.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { NamedValues } from "../../core/contracts/contribution.ts"
import * as Adapters from "../../plugins/adapters/mod.ts"
import { type NamedTensor, readTensors } from "./tensors.ts"
import type { AdapterFields, AdaptersOptions } from "./adapters_cases.ts"
import type { Tensors } from "./compare.ts"
import type { Method, MethodLayer } from "./methods.ts"

/** Where the files of the method lie in a directory. */
const folder = (directory: string): string => `${directory}/adapters/default`

const built = (layer: ReturnType<typeof Adapters.compose>): MethodLayer =>
  Layer.effectDiscard(Effect.service(Adapters.Adapters)).pipe(Layer.provide(layer))

const layerOf = ({ configs, setup, fusion }: AdaptersOptions): ReturnType<typeof Adapters.compose> => {
  const members = Object.entries(configs).map(([name, fields]) => ({ ...optionsOf(fields), name }))
  if (setup === undefined) return Adapters.layer(members[0])
  return Adapters.compose(
    setup.type === "Fuse" ? Adapters.fuse(members, { config: fusion! }) : Adapters.stack(...members),
  )
}

/** AdapterHub's fields here. */
const optionsOf = ({ preset, ...fields }: AdapterFields): Adapters.AdapterOptions => {
  const camel = (name: string) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())
  return {
    config: preset,
    ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [camel(name), value])),
  }
}

/** What trains, by AdapterHub's names. */
const named = (
  { configs, setup }: AdaptersOptions,
  values: ReadonlyArray<NamedValues>,
): ReadonlyMap<string, NamedTensor> =>
  new Map(values.map(({ parameter: { owner, key, module, name, shape }, data }) => {
    const tensor = { shape, data }
    if (owner === "base") return [key, tensor] as const
    const place = module.replace(/\.(dense|DenseReluDense|SelfAttention)$/, "").replace(
      /\.(self_attn|attention|attn)$/,
      ".attention_adapters",
    )
      .replace(/\.(mlp|ffn)$/, ".output_adapters")
    if (setup === undefined) return [`${place}.adapters.default.${name}`, tensor] as const
    const part = name.slice(0, name.indexOf("."))
    return [`${place}.${part in configs ? "adapters" : "adapter_fusion_layer"}.${name}`, tensor] as const
  }))

/** The method of a case. */
export const adaptersOf = (options: AdaptersOptions): Method => ({
  layer: built(layerOf(options)),
  fromFiles: (directory) => built(Adapters.fromAdapterHub(folder(directory))),
  named: (values) => named(options, values),
})

/** All tensors that were saved for the method; heads of single members, which AdapterHub repeats, left out. */
export const readAdapters = (directory: string): Tensors => {
  const read = (place: string, top: boolean): ReadonlyArray<readonly [string, ReturnType<typeof readTensors>]> =>
    [...Deno.readDirSync(place)].flatMap(({ name, isDirectory }) => {
      const path = `${place}/${name}`
      if (isDirectory) return read(path, false)
      const wanted = name.endsWith(".safetensors") && (top || name !== "model_head.safetensors")
      return wanted ? [[name, readTensors(path)] as const] : []
    })
  return new Map(read(folder(directory), true).flatMap(([, tensors]) => [...tensors]))
}
