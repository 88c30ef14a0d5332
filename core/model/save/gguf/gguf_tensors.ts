/**
 * A model's weights as tensors of a GGUF file: their types, and where their numbers come from.
 * @module
 */
import { bytesFor, type Encoding, inBlocks } from "../../../../kernels/encoding.ts"
import { encodingOf, F32 } from "../../../../kernels/encodings.ts"
import { GGML_TYPES, type GgmlType, ggmlTypeOf } from "../../../formats/gguf/ggml_types.ts"
import type { GgufTensorSource } from "../../../formats/gguf/gguf_writer.ts"
import type { Slot } from "../../../backend/backend.ts"
import { sizeOf } from "../../../tensor/shape.ts"
import type { Tensor } from "../../../tensor/tensor.ts"
import type { PackedRows } from "../../../weights/packed_rows.ts"
import type { LazyTensor } from "../../../weights/weight_transform.ts"
import type { Model } from "../../model.ts"
import { ModelError } from "../../model_error.ts"
import { runOnce } from "../../sites/run_once.ts"
import type { Folded } from "../folded_weights.ts"
import { slotsOf } from "../slots_of.ts"
import { makeTally, type WeightAccount } from "../check/weight_account.ts"
import { asInGguf, type GgufTarget } from "./gguf_target.ts"

/** Types that matrices can be written in; `"stored"`: that in which the model keeps each. */
export type GgufType = "stored" | "F32" | "F16" | "BF16" | "Q8_0" | "Q4_0" | "Q4_1"

/** What is written, and what that lost: known when all tensors have been read. */
export interface GgufContent {
  readonly tensors: ReadonlyArray<GgufTensorSource>
  readonly accounts: ReadonlyArray<WeightAccount>
}

/** A tensor of the file, and where its numbers come from. */
interface Source {
  readonly tensor: LazyTensor
  /** The weight without its update. */
  readonly base?: LazyTensor
  readonly type: GgmlType
}

/** Tensors of a model with updates in its weights. Throws {@link ModelError} on what the format cannot hold. */
export function ggufTensors(
  model: Model,
  target: GgufTarget,
  folded: Pick<Folded, "viewed" | "offsets">,
  type: GgufType,
): GgufContent {
  const own = new Map<string, LazyTensor>(), bases = new Map<string, LazyTensor>()
  const slots = new Map<string, Slot>(), slotOf = slotsOf(model)
  for (const { owner, key, shape } of model.parameters) {
    if (owner !== "base") continue
    const slot = slotOf(key)
    slots.set(key, slot)
    const isChanged = folded.viewed(key) !== undefined || folded.offsets.has(key)
    const packed = packedRows(model, slot, folded, key)
    own.set(key, {
      name: key,
      shape,
      read: () => wanted(model, slot, folded, key),
      ...(packed === undefined ? {} : { packed }),
    })
    if (isChanged) bases.set(key, { name: key, shape, read: () => floatsOf(model, slot) })
  }
  const withoutUpdates = asInGguf(model, target, bases)
  const accounts: WeightAccount[] = []
  const tensors = [...asInGguf(model, target, own)].map(([name, tensor]) => {
    const base = withoutUpdates.get(name)
    const kind = typeOf(model, tensor, type, slots.get(tensor.name))
    return sourceOf(name, { tensor, type: kind, ...(base === undefined ? {} : { base }) }, (one) => accounts.push(one))
  })
  return { tensors, accounts }
}

const byName = (name: string): GgmlType => GGML_TYPES.find((type) => type.name === name)!

/** The type that a tensor is written in. Vectors are F32, as programs that read GGUF want them. */
function typeOf({ network }: Model, { name, shape }: LazyTensor, type: GgufType, slot: Slot | undefined): GgmlType {
  if (shape.length < 2) return byName("F32")
  if (type === "stored") {
    const { name: kept } = encodingOf(slot?.storage)
    const stored = ggmlTypeOf(encodingOf(slot?.storage))
    if (stored !== undefined) return stored
    const message = `"${name}" is kept in ${kept}, which GGUF does not have: choose a type, such as "Q4_1" or "Q8_0"`
    throw new ModelError({ reason: "Unsupported", message })
  }
  const wanted = byName(type)
  const { block, blockBytes } = wanted.encoding!
  if (shape.at(-1)! % block !== 0) return byName("F16")
  // As other writers of GGUF do: what has a row for each token gets more bits.
  return shape[0] === network.vocabSize && 8 * blockBytes / block < 8 ? byName("Q8_0") : wanted
}

/** Numbers of a weight as they are kept, with what is added to offsets; undefined where it is not kept so, or changes as a whole. */
function packedRows(
  { backend }: Model,
  slot: Slot,
  { viewed, offsets }: Pick<Folded, "viewed" | "offsets">,
  key: string,
): PackedRows | undefined {
  const encoding = encodingOf(slot.storage)
  if (slot.shape.length !== 2 || viewed(key) !== undefined || ggmlTypeOf(encoding) === undefined) return undefined
  const columns = slot.shape[1], deltas = offsets.get(key)
  let added: Promise<Float32Array> | undefined
  return {
    encoding,
    read: async (first, count) => {
      const bytes = await backend.readEncoded(slot, first * columns, count * columns)
      if (deltas === undefined || !inBlocks(encoding)) return bytes
      added ??= run(backend, `offsets of ${key}`, deltas)
      const { block, affine } = encoding, parts = columns / block
      affine!.addOffsets(bytes, (await added).subarray(first * parts, (first + count) * parts))
      return bytes
    },
  }
}

/** Numbers of a weight with its update. */
async function wanted(model: Model, slot: Slot, { viewed, offsets }: Pick<Folded, "viewed" | "offsets">, key: string) {
  const whole = viewed(key), deltas = offsets.get(key)
  if (whole !== undefined) return await run(model.backend, `merge ${key}`, whole)
  const data = await floatsOf(model, slot)
  if (deltas === undefined) return data
  const added = await run(model.backend, `offsets of ${key}`, deltas), { block } = encodingOf(slot.storage)
  return data.map((x, i) => x + added[Math.floor(i / block)])
}

const floatsOf = async ({ backend }: Model, slot: Slot) => await backend.read(slot) as Float32Array

async function run(backend: Model["backend"], name: string, value: Tensor): Promise<Float32Array> {
  const { result } = await runOnce(backend, { name, outputs: { result: value }, updates: [] })
  return result as Float32Array
}

/** A source that tells what was lost once its last piece is read. */
function sourceOf(
  name: string,
  { tensor, base, type }: Source,
  report: (account: WeightAccount) => void,
): GgufTensorSource {
  const { shape, packed } = tensor
  const encoding = type.encoding!, size = sizeOf(shape), columns = shape.at(-1)!
  const isKept = packed !== undefined && packed.encoding === encoding
  const isExact = isKept ? base === undefined : encoding === F32 && base === undefined
  const tally = makeTally()
  let data: Float32Array | undefined, without: Float32Array | undefined
  return {
    name,
    shape,
    type,
    read: async (first, count) => {
      const range = [first, first + count] as const
      if (first === 0 && !isKept || !isExact) data ??= await tensor.read()
      without ??= await base?.read()
      const piece = isKept ? await blocksOf(packed, columns, ...range) : data!.subarray(...range)
      if (!isExact) {
        const written = piece instanceof Uint8Array
          ? decoded(encoding, piece, count)
          : decoded(encoding, encoded(encoding, piece), count)
        tally.add(data!.subarray(...range), written, without?.subarray(...range))
      }
      if (range[1] < size) return piece
      if (!isExact) report(tally.account(name, isKept ? `${type.name} offsets` : type.name))
      data = without = undefined
      return piece
    },
  }
}

/** Bytes of the elements from one to another, whole blocks. */
async function blocksOf(
  { encoding, read }: PackedRows,
  columns: number,
  from: number,
  to: number,
): Promise<Uint8Array> {
  const first = Math.floor(from / columns), last = Math.ceil(to / columns)
  const start = bytesFor(encoding, from - first * columns)
  return (await read(first, last - first)).subarray(start, start + bytesFor(encoding, to - from))
}

function encoded(encoding: Encoding, data: Float32Array): Uint8Array {
  const bytes = new Uint8Array(bytesFor(encoding, data.length))
  encoding.encode!(data, bytes)
  return bytes
}

function decoded(encoding: Encoding, bytes: Uint8Array, count: number): Float32Array {
  const data = new Float32Array(count)
  encoding.decode.reference(bytes, data)
  return data
}
