import { type FileTensor, openTensors } from "../../plugins/peft_format/tensors.ts"

/** All tensors of a file, by name. */
export function decodeAllTensors(bytes: Uint8Array, file: string): ReadonlyMap<string, FileTensor> {
  const { shapes, read } = openTensors(bytes, file)
  return new Map([...shapes].map(([name, shape]) => [name, { shape, data: read(name) }]))
}
