/**
 * Ordered reads and writes of one of the engine's memories: in place if it is shared, otherwise through thread 0.
 * @module
 */
import type { SlotData } from "../backend.ts"
import type { Region } from "./threads/worker.ts"
import type { Enqueue } from "./threads/queue.ts"
import type { Workers } from "./threads/workers.ts"

/** Access to a memory. `what` names the request in errors. */
export interface Access {
  /** Adds pages. Throws if that is refused at once. */
  readonly grow: (pages: number, what: string) => void
  readonly write: (address: number, data: SlotData, what: string) => Promise<unknown>
  /** Lets `fill` write `length` bytes. */
  readonly writeBytes: (
    address: number,
    length: number,
    fill: (bytes: Uint8Array) => void,
    what: string,
  ) => Promise<unknown>
  readonly zero: (address: number, bytes: number, what: string) => Promise<unknown>
  /** A copy of a region. */
  readonly read: (region: Region, what: string) => Promise<Float32Array | Int32Array>
  /** Result of `take` on `length` bytes; it must not keep the array. */
  readonly readBytes: <A>(
    address: number,
    length: number,
    take: (bytes: Uint8Array) => A,
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
    writeBytes: (address, length, fill) => alone(() => fill(new Uint8Array(memory.buffer, address, length))),
    zero: (address, bytes) => alone(() => new Uint8Array(memory.buffer, address, bytes).fill(0)),
    read: ({ address, length, dtype }) =>
      alone(() =>
        dtype === "i32"
          ? new Int32Array(memory.buffer, address, length).slice()
          : new Float32Array(memory.buffer, address, length).slice()
      ),
    readBytes: (address, length, take) => alone(() => take(new Uint8Array(memory.buffer, address, length))),
  }
}

/** Access to a memory that thread 0 owns, by its number. */
export const remoteAccess = ({ ask }: Workers, enqueue: Enqueue, memory: number): Access => {
  const askAlone = (...request: Parameters<Workers["ask"]>) => enqueue(true, () => ask(...request))
  // A message would carry the array's whole buffer.
  const write = (address: number, data: SlotData, what: string) =>
    enqueue(true, () => ask({ kind: "write", memory, address, data: data.slice() }, what))
  const read: Access["read"] = async (region, what) => (await askAlone({ kind: "read", memory, region }, what))[0]
  return {
    grow: (pages, what) => void askAlone({ kind: "grow", memory, pages }, what).catch(() => {}), // a later request fails
    write,
    writeBytes: (address, length, fill, what) => {
      const bytes = new Uint8Array(length)
      fill(bytes)
      return write(address, bytes, what)
    },
    zero: (address, bytes, what) => askAlone({ kind: "zero", memory, address, bytes }, what),
    read,
    readBytes: async (address, length, take, what) => {
      const words = await read({ address, length: Math.ceil(length / 4), dtype: "i32" }, what)
      return take(new Uint8Array(words.buffer, 0, length))
    },
  }
}
