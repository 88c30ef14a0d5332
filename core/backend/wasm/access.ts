/**
 * Ordered reads and writes of the engine's memory: in place if it is shared, otherwise through thread 0.
 * @module
 */
import type { Region } from "./_worker.ts"
import type { Enqueue } from "./queue.ts"
import type { Workers } from "./workers.ts"

/** Access to the memory. `what` names the request in errors. */
export interface Access {
  /** Adds pages. Throws if that is refused at once. */
  readonly grow: (pages: number, what: string) => void
  readonly write: (address: number, data: Float32Array | Int32Array, what: string) => Promise<unknown>
  /** Lets `fill` write `length` elements of 16 bits. */
  readonly writeHalves: (
    address: number,
    length: number,
    fill: (halves: Uint16Array) => void,
    what: string,
  ) => Promise<unknown>
  readonly zero: (address: number, bytes: number, what: string) => Promise<unknown>
  /** A copy of a region. */
  readonly read: (region: Region, what: string) => Promise<Float32Array | Int32Array>
  /** Result of `take` on `length` elements of 16 bits; it must not keep the array. */
  readonly readHalves: <A>(
    address: number,
    length: number,
    take: (halves: Uint16Array<ArrayBufferLike>) => A,
    what: string,
  ) => Promise<A>
}

/** Access to a shared memory. */
export const sharedAccess = (memory: WebAssembly.Memory, enqueue: Enqueue): Access => {
  const alone = <A>(work: () => A): Promise<A> => enqueue(true, () => Promise.resolve(work()))
  return {
    grow: (pages) => void memory.grow(pages),
    write: (address, data) =>
      alone(() =>
        new Uint8Array(memory.buffer, address, data.byteLength)
          .set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      ),
    // No intermediate arrays: many of them would stay uncollected for long.
    writeHalves: (address, length, fill) => alone(() => fill(new Uint16Array(memory.buffer, address, length))),
    zero: (address, bytes) => alone(() => new Uint8Array(memory.buffer, address, bytes).fill(0)),
    read: ({ address, length, dtype }) =>
      alone(() =>
        dtype === "i32"
          ? new Int32Array(memory.buffer, address, length).slice()
          : new Float32Array(memory.buffer, address, length).slice()
      ),
    readHalves: (address, length, take) => alone(() => take(new Uint16Array(memory.buffer, address, length))),
  }
}

/** Access to the memory that thread 0 owns. */
export const remoteAccess = ({ ask }: Workers, enqueue: Enqueue): Access => {
  const askAlone = (...request: Parameters<Workers["ask"]>) => enqueue(true, () => ask(...request))
  // A message would carry the array's whole buffer.
  const write = (address: number, data: Float32Array | Int32Array | Uint16Array, what: string) =>
    enqueue(true, () => ask({ kind: "write", address, data: data.slice() }, what))
  const read: Access["read"] = async (region, what) => (await askAlone({ kind: "read", region }, what))[0]
  return {
    grow: (pages, what) => void askAlone({ kind: "grow", pages }, what).catch(() => {}), // a later request fails
    write,
    writeHalves: (address, length, fill, what) => {
      const halves = new Uint16Array(length)
      fill(halves)
      return write(address, halves, what)
    },
    zero: (address, bytes, what) => askAlone({ kind: "zero", address, bytes }, what),
    read,
    readHalves: async (address, length, take, what) => {
      const words = await read({ address, length: Math.ceil(length / 2), dtype: "i32" }, what)
      return take(new Uint16Array(words.buffer, 0, length))
    },
  }
}
