import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"

/**
 * Bytes that programs can still take on this machine, swap included, or in this container where it has a limit (cgroup v2).
 * Undefined where the system does not say it in files, or they may not be read.
 */
export const freeMemory: Effect.Effect<number | undefined, never, FileSystem.FileSystem> = Effect.gen(function* () {
  const fs = yield* fileSystem
  const read = (path: string) => fs.readFileString(path).pipe(Effect.orElseSucceed(() => ""))
  const machine = fieldsOf(yield* read("/proc/meminfo"))
  if (machine.MemAvailable === undefined) return undefined
  const free = 1024 * (machine.MemAvailable + (machine.SwapFree ?? 0))
  const [limit, used] = [Number(yield* read(`${CGROUP}/memory.max`)), Number(yield* read(`${CGROUP}/memory.current`))]
  if (!(limit > 0)) return free
  // Pages of files are given back before a container is stopped.
  const { inactive_file: pages = 0 } = fieldsOf(yield* read(`${CGROUP}/memory.stat`))
  return Math.min(free, limit - used + pages)
})

const CGROUP = "/sys/fs/cgroup"

/** Numbers by name, a line each: `MemAvailable:  1024 kB`. */
const fieldsOf = (text: string): Readonly<Record<string, number | undefined>> =>
  Object.fromEntries(Array.from(text.matchAll(/^(\w+):?\s+(\d+)/gm), ([, name, value]) => [name, Number(value)]))
