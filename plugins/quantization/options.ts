import {
  type Demand,
  demandOf,
  field,
  methodName,
  methodOptions,
  mustBe,
  type OptionTable,
  type Resolved,
} from "../../core/options/mod.ts"
import { GROUP_BITS, type GroupedOptions } from "../../kernels/encodings/grouped.ts"
import { NF4_BLOCKS } from "../../kernels/encodings/nf4.ts"
import type { BlockEncoding } from "../../kernels/encoding.ts"
import { type FormatName, FORMATS } from "./formats.ts"

/** Options of quantization. */
export interface QuantizationOptions {
  /** Tells instances apart, such as one for attention and one for the rest; the id is `quantization/<name>`. Default `"default"`. */
  readonly name?: string
  /**
   * What weights are kept in. `"nf4"`: 16 quantiles of a normal distribution times the largest magnitude of a block
   * (Dettmers et al. 2023). `"grouped"`: scale * q + offset by group, with q of `bits` bits. `"q4_0"`, `"q4_1"`, `"q8_0"`:
   * the blocks of 32 of GGUF files. Or an encoding in blocks of `./kernels`. `"stored"`: what the files hold in blocks, as
   * `fromCheckpoint` keeps it. Default `"nf4"`.
   */
  readonly format?: FormatName | "stored" | BlockEncoding
  /** `"grouped"`: bits of a code. Default 4. */
  readonly bits?: GroupedOptions["bits"]
  /** `"grouped"`: neighbours of a row that share scale and offset, a multiple of 8. Default 32. */
  readonly groupSize?: number
  /** `"nf4"`: neighbours of a row that share a scale: 32 to 4096, a power of two. Default 64. */
  readonly blockSize?: number
  /**
   * `"nf4"`: whether scales are rounded to what 8 bits hold of them, as in the paper. Memory holds the rounded scales as
   * f32, so that it takes 4.5 bits a weight at 64; files take 4.127. Default true.
   */
  readonly doubleQuantization?: boolean
  /**
   * Which Linear and Embedding modules: a regular expression for the whole path, as Python reads it, names (exact, or the
   * end of a path after a dot), or `"all-linear"`: every Linear except the output head. A weight that is tied to another is
   * quantized with it. Default `"all-linear"`.
   */
  readonly targetModules?: string | ReadonlyArray<string>
  /** Modules to leave out, by the same rules. Default: none. */
  readonly excludeModules?: string | ReadonlyArray<string>
}

/** Options, checked and with defaults filled in. */
export type ResolvedOptions = Resolved<QuantizationOptions, "excludeModules"> & {
  /** Id of the plugin: `quantization/<name>`. */
  readonly id: string
}

const modules = [field.text({ pattern: "." }), field.list(field.text({}), { minItems: 1 })] as const
const MODULES = { wanted: "a pattern, a list of names or all-linear" } as const

const isEncoding = (value: unknown): boolean => {
  const { name, block, blockBytes, encode, decode } = (value ?? {}) as Partial<BlockEncoding>
  return typeof name === "string" && block! > 1 && blockBytes! > 0 && typeof encode === "function" &&
    typeof decode?.reference === "function"
}

const names = Object.keys(FORMATS) as ReadonlyArray<FormatName>
const listed = `${
  [...names, "stored"].map((name) => JSON.stringify(name)).join(", ")
} or an encoding in blocks with \`encode\``

/** {@link QuantizationOptions} as a table. */
export const OPTIONS: OptionTable<QuantizationOptions, "excludeModules"> = {
  name: methodName,
  format: field.anyOf([
    field.choice([...names, "stored"], {}),
    field.opaque<BlockEncoding>()({
      wanted: listed,
      faults: (value, at) => isEncoding(value) ? [] : [mustBe(at, listed, value)],
    }),
  ], { default: "nf4", wanted: listed, doc: "What weights are kept in" }),
  bits: field.choice(GROUP_BITS, { default: 4, doc: "grouped: bits of a code" }),
  groupSize: field.integer({ minimum: 8, default: 32, doc: "grouped: neighbours that share scale and offset" }),
  blockSize: field.choice(NF4_BLOCKS, { default: 64, doc: "nf4: neighbours that share a scale" }),
  doubleQuantization: field.boolean({ default: true, doc: "nf4: scales are rounded to what 8 bits hold of them" }),
  targetModules: field.anyOf(modules, { ...MODULES, default: "all-linear", doc: "Modules to quantize" }),
  excludeModules: field.anyOf(modules, { ...MODULES, absent: "none", doc: "Modules to leave out" }),
}

/** Options of a base that its files hold in blocks. */
export interface CheckpointOptions {
  /** Tells instances apart. Default `"default"`. */
  readonly name?: string
  /** Whether there must be weights whose numbers are scale * q + offset by group, such as Q4_1. Default false. */
  readonly groups?: boolean
}

/** Options, checked and with defaults filled in. */
export type ResolvedCheckpointOptions = Resolved<CheckpointOptions> & {
  /** Id of the plugin. */
  readonly id: string
}

/** {@link CheckpointOptions} as a table. */
export const CHECKPOINT_OPTIONS: OptionTable<CheckpointOptions> = {
  name: methodName,
  groups: field.boolean({ default: false, doc: "Whether weights of scale * q + offset by group are needed" }),
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveCheckpointOptions(options: CheckpointOptions): ResolvedCheckpointOptions {
  return methodOptions("quantization", CHECKPOINT_OPTIONS, options)
}

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: QuantizationOptions): ResolvedOptions {
  const resolved = methodOptions("quantization", OPTIONS, options)
  const demand: Demand = demandOf(resolved.id)
  const { format, groupSize } = resolved
  demand(groupSize % 8 === 0, "groupSize", "a multiple of 8", groupSize)
  const own: ReadonlyArray<string> = isName(format) ? FORMATS[format].options : []
  const named = options.targetModules ?? options.excludeModules
  demand(format !== "stored" || named === undefined, "format", "another than stored where modules are named", format)
  for (const [name, { options: all }] of Object.entries(FORMATS)) {
    const idle = all.find((option) => options[option] !== undefined && !own.includes(option))
    if (idle !== undefined) demand(false, "format", `"${name}" where ${idle} is given`, nameOf(format))
  }
  return resolved
}

/** The encoding that options ask for; undefined for what the files hold. */
export function encodingIn(options: ResolvedOptions): BlockEncoding | undefined {
  const { format } = options
  return isName(format) ? FORMATS[format].encoding(options) : format === "stored" ? undefined : format
}

const isName = (format: ResolvedOptions["format"]): format is FormatName =>
  typeof format === "string" && format !== "stored"

const nameOf = (format: string | BlockEncoding) => typeof format === "string" ? format : format.name
