/**
 * What the layers of a graph share, and rotary positions.
 * @module
 */
import type { BatchTensors } from "../../contracts/objective.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Decoding } from "../module.ts"

/** Rotary positions (Su et al. 2021). */
export interface Rope {
  /** Turn of each pair of dimensions per position, in radians: half the width of a head. */
  readonly frequencies: ReadonlyArray<number>
  /** What cosines and sines are multiplied by. */
  readonly scale: number
}

/** Cosines and sines by position: [length, width / 2], or by row [B, 1, length, width / 2]. */
export interface RotaryTables {
  /** Cosines. */
  readonly cos: Tensor
  /** Sines. */
  readonly sin: Tensor
}

/** What attention of kind `cross` looks at: the output of an encoder. */
export interface Memory {
  /** [B, S, width]; not needed once keys and values of it are in a cache. */
  readonly hidden?: Tensor
  /** Positions of each row that count, i32 [B]. */
  readonly lengths: Tensor
}

/** What the layers of a graph share. */
export interface Sequence {
  /** The batch; its lengths include the rows that methods put before the tokens. */
  readonly batch: BatchTensors
  /** Set while text is generated, in what reads that text. */
  readonly decoding: Decoding | undefined
  /** Rotary tables of `length` positions that follow `start` others and those in the cache, made once. */
  readonly rotary: (rope: Rope, start: number, length: number) => RotaryTables
  /** A tensor that layers share, made once for an owner and a name. */
  readonly shared: (owner: object, name: string, make: () => Tensor) => Tensor
  /** What attention of kind `cross` looks at. */
  readonly memory?: Memory
}

/** Frequencies theta^(-2i / width) for heads of an even `width`. */
export function ropeFrequencies(theta: number, width: number): ReadonlyArray<number> {
  return Array.from({ length: width / 2 }, (_, i) => theta ** (-2 * i / width))
}

/** Cosines and sines of positions `start` and following, in float64 until they are stored: [length, width / 2] each. */
export function rotaryTables(
  { frequencies, scale }: Rope,
  start: number,
  length: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const half = frequencies.length
  const [cos, sin] = [new Float32Array(length * half), new Float32Array(length * half)]
  for (let at = 0; at < length * half; at++) {
    const angle = (start + Math.floor(at / half)) * frequencies[at % half]
    cos[at] = scale * Math.cos(angle)
    sin[at] = scale * Math.sin(angle)
  }
  return { cos, sin }
}

/** What the layers of one graph share. */
export function sequenceOf(batch: BatchTensors, decoding: Decoding | undefined, memory?: Memory): Sequence {
  const made = new Map<Rope, Map<string, RotaryTables>>()
  const constants = (rope: Rope, start: number, length: number): RotaryTables => {
    const { cos, sin } = rotaryTables(rope, start, length)
    const shape = [length, rope.frequencies.length]
    return { cos: ops.constant(cos, shape), sin: ops.constant(sin, shape) }
  }
  const at = ({ cos, sin }: RotaryTables, places: Tensor): RotaryTables => ({
    cos: ops.gather(cos, places),
    sin: ops.gather(sin, places),
  })
  const make = (rope: Rope, start: number, length: number): RotaryTables => {
    const { packed } = batch
    if (packed !== undefined) return at(constants(rope, start, packed.longest), ops.reshape(packed.positions, [length]))
    if (decoding === undefined || decoding.first) return constants(rope, start, length)
    const cached = ops.reshape(decoding.start, [-1, 1, 1])
    return at(constants(rope, start, decoding.capacity), ops.add(ops.iota([1, 1, length], 2), cached))
  }
  const rotary = (rope: Rope, start: number, length: number): RotaryTables => {
    const tables = made.get(rope) ?? new Map<string, RotaryTables>()
    const name = `${start} ${length}`
    const found = tables.get(name) ?? make(rope, start, length)
    made.set(rope, tables.set(name, found))
    return found
  }
  const all = new Map<object, Map<string, Tensor>>()
  const shared = (owner: object, name: string, make: () => Tensor): Tensor => {
    const own = all.get(owner) ?? new Map<string, Tensor>()
    const found = own.get(name) ?? make()
    all.set(owner, own.set(name, found))
    return found
  }
  return { batch, decoding, rotary, shared, ...(memory === undefined ? {} : { memory }) }
}
