/**
 * A run folder knows every option of every method of the package: a run that is resumed with another one is found out.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { layer as registry, Plugins } from "../../core/contracts/plugins.ts"
import type { Field, Fields } from "../../core/options/mod.ts"
import { layersOf } from "../../core/run/mod.ts"
import { METHODS } from "../../plugins/all/mod.ts"

type Options = Readonly<Record<string, unknown>>

/** What the run folder holds of a method; undefined where it refuses the options. */
const settingsOf = (method: string, options: Options): Promise<string | undefined> => {
  const base = Layer.merge(registry, NodeFileSystem.layer)
  const [needed] = METHODS[method].needs ?? []
  const [own, ...others] = layersOf([
    { method, ...options },
    ...needed === undefined ? [] : [{ method: needed, name: "needed" }],
  ], METHODS)
  const layers = Layer.mergeAll(own, ...others).pipe(Layer.provideMerge(base))
  const settings = Effect.map(Effect.flatMap(Plugins, ({ all }) => all), (all) => {
    const { settings, tasks } = all.find(({ id }) => !id.endsWith("/needed"))!
    return JSON.stringify({ settings, tasks })
  })
  return Effect.runPromise(Effect.map(Effect.exit(Effect.provide(settings, layers)), (exit) => {
    return Exit.isSuccess(exit) ? exit.value : undefined
  }))
}

/** Some values that a field may allow. */
const valuesOf = (field: Field<unknown>): ReadonlyArray<unknown> => [
  ...field.enum ?? [],
  ...(field.anyOf ?? []).flatMap(valuesOf),
  ...field.type === "boolean" ? [true, false] : [],
  ...field.type === "integer" ? [3, 64] : [],
  ...field.type === "number" ? [0.3] : [],
  ...field.type === "string" ? ["own", "pissa_niter_3"] : [],
  ...field.items === undefined ? [] : valuesOf(field.items).map((item) => [item]),
  ...field.additionalProperties === undefined ? [] : valuesOf(field.additionalProperties).map((own) => ({ own })),
  ...field.properties === undefined ? [] : [Object.fromEntries(
    Object.entries(field.properties).map(([name, inner]) => [name, valuesOf(inner)[0]]),
  )],
]

/** Options that a method needs, or that go with another one. */
const BESIDE: Readonly<Record<string, ReadonlyArray<Options>>> = {
  "lora": [{}, { initLoraWeights: "gaussian" }, { targetModules: "all-linear" }],
  "qlora": [{}, { initLoraWeights: "gaussian" }, { initLoraWeights: "loftq" }, { targetModules: ["own"] }],
  "qa-lora": [{}, { targetModules: ["own"] }],
  "quantization": [{}, { format: "grouped" }],
  "adapters": [{}, { config: "double_seq_bn" }],
  "prefix-tuning": [{}, { prefixProjection: true }, { initText: "own" }],
  "prompt-tuning": [{}, { encoderReparameterizationType: "MLP" }, { promptTuningInitText: "own" }],
  "multitask": [{}, { mixing: "temperature" }],
  "curriculum": [{}, { pacing: "step" }],
  "elastic-weights": [{ lambda: 5 }],
  "differential-privacy": [
    { delta: 1e-5, targetEpsilon: 8 },
    { delta: 1e-5, targetEpsilon: 8, clipping: "adaptive" },
  ],
}
/** Options of which there is one value. */
const FIXED = ["prompt-tuning encoderNumLayers"]

for (const [name, method] of Object.entries(METHODS)) {
  Deno.test(`a run folder has every option of ${name}`, async () => {
    for (const [option, field] of Object.entries(method.options as Fields)) {
      if (FIXED.includes(`${name} ${option}`)) continue
      const most = (BESIDE[name] ?? [{}]).map(async (beside) => {
        const given = [{}, ...valuesOf(field).map((value) => ({ [option]: value }))]
        const all = await Promise.all(given.map((own) => settingsOf(name, { ...beside, ...own })))
        return new Set(all.filter((one) => one !== undefined)).size
      })
      assert(Math.max(...await Promise.all(most)) > 1, `${option} is not in the settings`)
    }
    assertEquals(await settingsOf(name, { [`no${name}`]: 1 }), undefined)
  })
}
