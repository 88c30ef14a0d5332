/**
 * What bitsandbytes writes beside a weight of 4 bits (`QuantState.as_dict`, 0.50): tensors under the weight's name with
 * further parts, and a JSON text in one of them.
 * @module
 */
import type { TensorEntry } from "../safetensors/safetensors_header.ts"
import { SafetensorsError } from "../safetensors/safetensors_error.ts"

/** Tensors of one weight. */
export interface QuantizedEntries {
  /** Name of the weight. */
  readonly name: string
  /** Codes, two a byte. */
  readonly weight: TensorEntry
  /** Scale of each block: f32, or places in the nested map. */
  readonly absmax: TensorEntry
  /** The numbers of the codes. */
  readonly quantMap: TensorEntry
  /** With double quantization: scale of each block of scales, and the numbers of their codes. */
  readonly nested?: { readonly absmax: TensorEntry; readonly quantMap: TensorEntry }
  /** The JSON text. */
  readonly state: TensorEntry
}

/** What the JSON text says. */
export interface QuantState {
  /** The weight's shape, which stands nowhere else. */
  readonly shape: ReadonlyArray<number>
  readonly blocksize: number
  /** Of double quantization. */
  readonly nested?: { readonly blocksize: number; readonly offset: number }
}

const STATE = /^(.*)\.quant_state\.bitsandbytes__(\w+)$/
const PARTS = ["absmax", "quant_map", "nested_absmax", "nested_quant_map"]

/** The type of 4-bit codes that is read. */
const KIND = "nf4"

/** The weights of 4 bits among tensors, with the names that belong to them. Throws {@link SafetensorsError}. */
export function quantizedEntries(
  tensors: ReadonlyMap<string, TensorEntry>,
): ReadonlyArray<QuantizedEntries & { readonly names: ReadonlyArray<string> }> {
  return [...tensors].flatMap(([key, state]) => {
    const found = STATE.exec(key)
    if (found === null) return []
    const [, name, kind] = found
    const fail = (reason: "Missing" | "Dtype", what: string) => {
      throw new SafetensorsError({ reason, file: state.file, message: `"${state.file}": "${name}" ${what}` })
    }
    if (kind !== KIND) {
      fail(
        "Dtype",
        `is quantized as ${kind}; of bitsandbytes' 4 bits ${KIND} is read: quantize the model again as that`,
      )
    }
    const part = (suffix: string): TensorEntry =>
      tensors.get(`${name}${suffix}`) ?? fail("Missing", `lacks "${name}${suffix}"; fetch the file again`) as never
    const isNested = tensors.has(`${name}.nested_absmax`)
    return [{
      name,
      names: [name, key, ...PARTS.map((end) => `${name}.${end}`)],
      weight: part(""),
      absmax: part(".absmax"),
      quantMap: part(".quant_map"),
      ...(isNested ? { nested: { absmax: part(".nested_absmax"), quantMap: part(".nested_quant_map") } } : {}),
      state,
    }]
  })
}

/** Reads the JSON text and checks sizes against it. Throws {@link SafetensorsError}. */
export function parseQuantState(entries: QuantizedEntries, text: string): QuantState {
  const { name, state: { file } } = entries
  const fail = (reason: "Header" | "Shape", what: string) => {
    throw new SafetensorsError({ reason, file, message: `"${file}": quant_state of "${name}" ${what}` })
  }
  const record = recordIn(text) ?? fail("Header", `is no JSON object: ${JSON.stringify(text.slice(0, 40))}`) as never
  const { shape, blocksize, quant_type: kind, nested_blocksize: nestedSize, nested_offset: offset } = record
  if (kind !== KIND) fail("Header", `has quant_type ${JSON.stringify(kind)} in place of "${KIND}"`)
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0
  if (!Array.isArray(shape) || shape.length === 0 || !shape.every(isCount)) {
    fail("Header", `has the shape ${JSON.stringify(shape)}`)
  }
  if (!isCount(blocksize)) fail("Header", `has the blocksize ${JSON.stringify(blocksize)}`)
  if (entries.nested !== undefined && !(isCount(nestedSize) && Number.isFinite(offset))) {
    fail("Header", `has nested_blocksize ${JSON.stringify(nestedSize)} and nested_offset ${JSON.stringify(offset)}`)
  }
  const elements = (shape as number[]).reduce((product, extent) => product * extent, 1)
  const blocks = Math.ceil(elements / (blocksize as number))
  const sizes: ReadonlyArray<readonly [TensorEntry | undefined, number]> = [
    [entries.weight, Math.ceil(elements / 2)],
    [entries.absmax, entries.nested === undefined ? 4 * blocks : blocks],
    [entries.quantMap, 4 * 16],
    [entries.nested?.absmax, 4 * Math.ceil(blocks / (nestedSize as number))],
    [entries.nested?.quantMap, 4 * 256],
  ]
  for (const [entry, bytes] of sizes) {
    if (entry === undefined || entry.byteLength === bytes) continue
    fail(
      "Shape",
      `says [${shape}] in blocks of ${blocksize}, so "${entry.name}" has ${bytes} bytes, not ${entry.byteLength}`,
    )
  }
  return {
    shape: shape as number[],
    blocksize: blocksize as number,
    ...(entries.nested === undefined ? {} : { nested: { blocksize: nestedSize as number, offset: offset as number } }),
  }
}

function recordIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value as Readonly<Record<string, unknown>> : undefined
  } catch {
    return undefined
  }
}
