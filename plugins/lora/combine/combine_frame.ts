import type { NamedValues } from "../../../core/contracts/contribution.ts"
import { CombineError } from "../../../core/weights/combine/combine_error.ts"
import type { PeftLoraConfig } from "../../peft_format/mod.ts"
import { grouped } from "../grouped.ts"
import type { OpenedAdapter } from "./combine_sources.ts"

export interface Frame {
  /** Its config, but for ranks and scales. */
  readonly config: PeftLoraConfig
  /** Base parameters that trained, averaged. */
  readonly saved: ReadonlyArray<NamedValues>
  readonly notes: ReadonlyArray<string>
}

/** Throws {@link CombineError} where adapters do not belong together. */
export function frameOf(adapters: ReadonlyArray<OpenedAdapter>): Frame {
  const notes: string[] = []
  const configs = adapters.map(({ config }) => config)
  const [first] = configs
  const same = (part: (config: PeftLoraConfig) => unknown) =>
    new Set(configs.map((config) => JSON.stringify(part(config)))).size === 1
  const list = (names: string | ReadonlyArray<string> | undefined) => Array.isArray(names) ? names.toSorted() : names
  if (!same(({ bias }) => bias)) {
    const message = `the adapters train different biases: ${
      adapters.map(({ label, config }) => `${label} "${config.bias}"`).join(", ")
    }`
    throw new CombineError({ reason: "Mismatch", message })
  }
  const bases = new Set(configs.map(({ baseModel }) => baseModel).filter((name) => name !== ""))
  if (bases.size > 1) notes.push(`the adapters name different base models: ${[...bases].join(", ")}`)
  const sameTask = same(({ taskType }) => taskType)
  if (!sameTask) notes.push(`the adapters were trained for different tasks; the result names none`)
  const sameTargets = same(({ targetModules, excludeModules, layersToTransform, layersPattern }) => [
    list(targetModules),
    list(excludeModules),
    list(layersToTransform?.map(String)),
    list(layersPattern),
  ])
  const { targetModules: _, excludeModules: __, layersToTransform: ___, layersPattern: ____, ...rest } = first
  const { taskType, ...untold } = sameTargets ? first : {
    ...rest,
    targetModules: [...new Set(adapters.flatMap(({ updates }) => [...updates.keys()]))],
  }
  const config = {
    ...untold,
    ...(sameTask && taskType !== undefined ? { taskType } : {}),
    baseModel: [...bases][0] ?? "",
    modulesToSave: [...new Set(configs.flatMap(({ modulesToSave }) => modulesToSave))],
    initLoraWeights: true,
    useRslora: false,
  }
  return { config, saved: averaged(adapters, notes), notes }
}

/** Base parameters that trained: their average by weight, over the adapters that have them. */
function averaged(adapters: ReadonlyArray<OpenedAdapter>, notes: string[]): ReadonlyArray<NamedValues> {
  const all = adapters.flatMap(({ label, weight, saved }) => saved.map((value) => ({ label, weight, ...value })))
  return [...grouped(all, ({ parameter }) => parameter.key)].map(([key, own]) => {
    const { parameter } = own[0]
    const { module, name, shape } = parameter
    const refuse = (message: string) => new CombineError({ reason: "Mismatch", module, message })
    const low = name === "weight" ? adapters.find(({ updates }) => updates.has(module)) : undefined
    if (low !== undefined) throw refuse(`"${module}" trained whole in ${own[0].label}, and at low rank in ${low.label}`)
    const other = own.find(({ parameter }) => `${parameter.shape}` !== `${shape}`)
    if (other !== undefined) {
      throw refuse(
        `"${key}" is [${shape}] in ${
          own[0].label
        } and [${other.parameter.shape}] in ${other.label}: not the same head, ` +
          "so there is no average; combine adapters of the same labels",
      )
    }
    const total = own.reduce((sum, { weight }) => sum + weight, 0)
    if (Math.abs(total) < 1e-6 * own.reduce((sum, { weight }) => sum + Math.abs(weight), 0)) {
      throw refuse(`"${key}" trained whole, and has no average: the weights sum to ${total}; change one of them`)
    }
    const data = new Float32Array(parameter.shape.reduce((a, b) => a * b, 1))
    for (let i = 0; i < data.length; i++) {
      data[i] = own.reduce((sum, { weight, data }) => sum + weight * data[i], 0) / total
    }
    if (adapters.length > 1) {
      notes.push(`"${key}" trained whole: it is the average by weight, of ${own.length} of ${adapters.length} adapters`)
    }
    return { parameter, data }
  })
}
