import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { systemError } from "effect/PlatformError"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { readTensor, type TensorEntry } from "../../../core/formats/safetensors/safetensors.ts"

/** Runs with the real file system. */
export function run<A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>): Promise<A> {
  return Effect.runPromise(Effect.provide(effect, NodeFileSystem.layer))
}

/** The failure of an effect that must fail. */
export function failure<A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem>): Promise<E> {
  return run(Effect.flip(effect))
}

/** A file system on which the n-th write of a file finds no space. */
export function fullAt<A, E, R>(
  n: number,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, Exclude<R, FileSystem.FileSystem> | FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const real = yield* FileSystem.FileSystem
    let writes = 0
    const full = systemError({
      _tag: "Unknown",
      module: "FileSystem",
      method: "writeAll",
      cause: Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }),
    })
    const open: FileSystem.FileSystem["open"] = (path, options) =>
      Effect.map(real.open(path, options), (file) =>
        Object.assign(Object.create(file), {
          writeAll: (bytes: Uint8Array) => ++writes === n ? Effect.fail(full) : file.writeAll(bytes),
        }))
    return yield* Effect.provideService(effect, FileSystem.FileSystem, { ...real, open })
  })
}

/** Gives `use` an empty directory that goes afterwards. */
export async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir()
  try {
    await use(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

/** Names in a directory, sorted. */
export function names(directory: string): Array<string> {
  return [...Deno.readDirSync(directory)].map((entry) => entry.name).sort()
}

/** A whole tensor. */
export async function readAll(entry: TensorEntry): Promise<Float32Array> {
  const all = new Float32Array(entry.shape.reduce((product, size) => product * size, 1))
  await run(readTensor(entry, (data, offset) => all.set(data, offset)))
  return all
}

/** A safetensors file with this header text. */
export function fileOf(header: string | Uint8Array, data: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header
  const tail = typeof data === "number" ? new Uint8Array(data) : data
  const bytes = new Uint8Array(8 + json.length + tail.length)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true)
  bytes.set(json, 8)
  bytes.set(tail, 8 + json.length)
  return bytes
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Bytes asked for through constructors of array buffers while `work` runs. */
export async function allocated(work: () => Promise<void>): Promise<number> {
  let total = 0
  const restore: Array<() => void> = []
  for (
    const name of ["ArrayBuffer", "Uint8Array", "Uint16Array", "Uint32Array", "Float32Array", "Float64Array"] as const
  ) {
    const real = globalThis[name]
    const unit = "BYTES_PER_ELEMENT" in real ? real.BYTES_PER_ELEMENT : 1
    const counted = new Proxy(real as unknown as new (...given: ReadonlyArray<unknown>) => object, {
      construct(target, given) {
        if (typeof given[0] === "number") total += given[0] * unit
        return Reflect.construct(target, given)
      },
    })
    Object.defineProperty(globalThis, name, { value: counted, configurable: true, writable: true })
    restore.push(() => Object.defineProperty(globalThis, name, { value: real, configurable: true, writable: true }))
  }
  try {
    await work()
  } finally {
    for (const undo of restore) undo()
  }
  return total
}
