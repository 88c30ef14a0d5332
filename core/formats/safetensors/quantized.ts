/**
 * Weights that are not plain numbers: told before anything is said of their sizes.
 * @module
 */
import { isFloatDType, type StoredDType } from "./stored_dtype.ts"

const FIELDS = ["quantization_config", "quantization", "compression_config"]

/** Names beside packed weights, as the usual programs for quantizing write them. */
const PACKED =
  /\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..+|SCB|weight_format|qweight|qzeros|g_idx|scales|W_q|weight_(scale|scale_inv|zero_point|packed|shape)|input_scale)$/

/** What is looked at of a tensor. */
interface Stored {
  readonly dtype: StoredDType
  readonly shape: ReadonlyArray<number>
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a config says that weights have the 4 bits of bitsandbytes, which are read. */
export function isBitsAndBytes4({ quantization_config: given }: Readonly<Record<string, unknown>>): boolean {
  return isRecord(given) && (given.quant_method ?? "bitsandbytes") === "bitsandbytes" && bitsIn(given) === 4
}

/** How a config says that weights are quantized otherwise; undefined where it does not. */
export function quantizedConfig(config: Readonly<Record<string, unknown>>): string | undefined {
  const field = FIELDS.find((name) => config[name] !== undefined && config[name] !== null)
  return field === undefined || isBitsAndBytes4(config)
    ? undefined
    : `config.json has ${field}: ${describe(config[field])}`
}

/** How names and types of tensors say it, where the config does not. `expected` are those of the model. */
export function quantizedTensors(
  tensors: ReadonlyMap<string, Stored>,
  expected: ReadonlySet<string>,
): string | undefined {
  const found = [...tensors].find(([name, entry]) => expected.has(name) ? isPacked(entry) : PACKED.test(name))
  return found && `config.json does not say how, but the file holds ${found[0]} (${found[1].dtype})`
}

/** Matrices of whole or very small numbers. */
function isPacked({ dtype, shape }: Stored): boolean {
  return !isFloatDType(dtype) && dtype !== "F64" && shape.length > 1
}

/** Method and bits, under the names that the methods have for them. */
function describe(config: unknown): string {
  if (!isRecord(config)) return JSON.stringify(config)
  const { quant_method: method, quant_type: type, bnb_4bit_quant_type: kind } = config
  const bits = bitsIn(config)
  const parts = [method, bits && `${bits} bits`, kind ?? type]
  const known = parts.filter((part) => typeof part === "string" && part !== "")
  return known.length > 0 ? known.join(", ") : JSON.stringify(config).slice(0, 200)
}

function bitsIn(config: Readonly<Record<string, unknown>>): number | undefined {
  if (config.load_in_4bit === true || config._load_in_4bit === true) return 4
  if (config.load_in_8bit === true || config._load_in_8bit === true) return 8
  for (const name of ["bits", "w_bit", "num_bits", "nbits", "weight_bits"]) {
    if (typeof config[name] === "number") return config[name]
  }
  for (const value of Object.values(config)) {
    const inside = isRecord(value) ? bitsIn(value) : undefined
    if (inside !== undefined) return inside
  }
  return undefined
}

/** What to do about it. */
export const PLAIN_WEIGHTS =
  "of quantized weights those of GGUF and the 4 bits of bitsandbytes (nf4) are read: take the model that they were made from, or write them out plain " +
  "(transformers: model.dequantize(), then save_pretrained)"
