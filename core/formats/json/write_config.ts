import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../files/file_system.ts"
import type { StorageError } from "../files/storage_error.ts"
import { writeFileWhole } from "../files/whole_file.ts"

/**
 * Writes `config.json` of a model. Whole numbers that have a point in the file that they come from keep it: transformers 5
 * refuses 2 where it wants 2.0.
 *
 * @param from The file that the config was read from; it may be missing.
 */
export function writeConfig(
  path: string,
  config: Readonly<Record<string, unknown>>,
  from: string,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const source = yield* (yield* fileSystem).readFileString(from).pipe(Effect.orElseSucceed(() => ""))
    yield* writeFileWhole(path, `${spelledAs(source, JSON.stringify(config, null, 2))}\n`)
  })
}

const LIST = /"\w+": *\[(?:[^[\]{}"]|\{\s*"__float__":\s*"-?\w+"\s*\})*\]/g

/** A JSON text with the points of another: `"factor": 2.0` there makes `"factor": 2` here the same. */
export function spelledAs(source: string, text: string): string {
  const pointed = [...source.matchAll(/("\w+": *-?\d+)\.0+(?=[\s,}])/g)].map(([, entry]) => entry)
  // Lists of numbers keep the source's spelling whole; infinity is an object in them.
  const plain = (list: string) => list.replace(/(\d)\.0+(?=[\s,\]])/g, "$1").replace(/\s/g, "")
  const lists = new Map([...source.matchAll(LIST)].map(([list]) => [plain(list), list]))
  return text.replace(/"\w+": -?\d+(?=[\n,])/g, (entry) => pointed.includes(entry) ? `${entry}.0` : entry)
    .replace(LIST, (list) => lists.get(plain(list)) ?? list)
}
