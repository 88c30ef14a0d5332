/**
 * JSON files, with errors that say where.
 * @module
 */
import * as Effect from "effect/Effect"
import { attempt } from "../../contracts/attempt.ts"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../files/file_system.ts"
import { JsonError } from "./json_error.ts"
import { type StorageError, toStorageError } from "../files/storage_error.ts"

/** Offset at which a text stops being JSON. Engines tell it only for some errors, so it is looked for here. */
export function errorOffset(text: string): number {
  let at = 0
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    const found = pattern.test(text)
    if (found) at = pattern.lastIndex
    return found
  }
  const space = (): boolean => take(/[ \t\n\r]*/y)
  const is = (character: string): boolean => text[at] === character && ++at > 0
  const string = (): boolean => {
    const start = at
    if (!is('"')) return false
    // By parts, since one pattern for all of a long string runs out of stack.
    while (take(/[ !#-[\]-\uffff]{1,9999}|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y));
    return is('"') || (at = start, false)
  }
  const pair = (): boolean => string() && space() && is(":") && value()
  const items = (item: () => boolean, close: string): boolean => {
    space()
    if (is(close)) return true
    while (item()) {
      space()
      if (is(close)) return true
      if (!is(",")) return false
      space()
    }
    return false
  }
  function value(): boolean {
    space()
    if (is("{")) return items(pair, "}")
    if (is("[")) return items(value, "]")
    return string() || take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y)
  }
  if (value()) space()
  return at
}

/** Parses JSON text. Throws {@link JsonError} with line and column. */
export function parseJson(text: string, file: string): unknown {
  try {
    // Some editors put a byte order mark first.
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (error) {
    const before = text.slice(0, errorOffset(text)).split("\n")
    const line = before.length
    const column = before[line - 1].length + 1
    throw new JsonError({
      reason: "Syntax",
      file,
      line,
      column,
      message: `"${file}" is not valid JSON, line ${line}, column ${column}: ${(error as Error).message}`,
    })
  }
}

/** Reads a JSON file of any content. */
export function readJson(
  path: string,
): Effect.Effect<unknown, JsonError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const text = yield* fs.readFileString(path).pipe(Effect.mapError(toStorageError(path, "read")))
    return yield* attempt(() => parseJson(text, path), JsonError)
  })
}
