/**
 * A reader of safetensors for these tests alone: what it shares with the product it could not check.
 * @module
 */

/** Numbers of one tensor, row-major, with its shape. */
export interface NamedTensor {
  readonly shape: ReadonlyArray<number>
  readonly data: Float32Array | Float64Array
}

/** Reads a file of F32 or F64 tensors. Throws on any other type. */
export const readTensors = (path: string): Map<string, NamedTensor> => {
  const bytes = Deno.readFileSync(path)
  const size = Number(new DataView(bytes.buffer).getBigUint64(0, true))
  const header: Record<string, { dtype: string; shape: Array<number>; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + size)),
  )
  const tensors = new Map<string, NamedTensor>()
  delete header.__metadata__
  for (const [name, { dtype, shape, data_offsets: [start, end] }] of Object.entries(header)) {
    if (dtype !== "F32" && dtype !== "F64") throw new Error(`${path}: tensor "${name}" is ${dtype}, not F32 or F64`)
    const buffer = bytes.buffer.slice(8 + size + start, 8 + size + end)
    tensors.set(name, { shape, data: dtype === "F32" ? new Float32Array(buffer) : new Float64Array(buffer) })
  }
  return tensors
}
