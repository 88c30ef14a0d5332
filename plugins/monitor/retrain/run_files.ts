/**
 * The files of one retrain: judged rows in two parts, and a run file over them.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { resolve } from "node:path"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { writeFileWhole } from "../../../core/formats/files/whole_file.ts"
import { writeJson } from "../../../core/formats/json/write_json.ts"
import type { OldRowsSpec, RunSpec } from "../../../core/run/mod.ts"
import type { Divided, JudgedRow } from "./judged_rows.ts"

/** Paths within the folder of a retrain. */
export const filesOf = (
  folder: string,
): { readonly [Name in "run" | "train" | "fresh" | "output" | "adapter"]: string } => ({
  run: `${folder}/run.json`,
  train: `${folder}/train.jsonl`,
  fresh: `${folder}/fresh.jsonl`,
  output: `${folder}/out`,
  adapter: `${folder}/out/adapter`,
})

/** Writes rows and run file into a new folder. */
export function writeRunFiles(
  folder: string,
  { train, fresh }: Divided,
  run: RunSpec,
  labels: ReadonlyArray<string>,
): Effect.Effect<void, StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    yield* fs.makeDirectory(folder, { recursive: true }).pipe(Effect.mapError(toStorageError(folder, "write")))
    const files = filesOf(folder)
    const lines = (rows: ReadonlyArray<JudgedRow>) =>
      rows.map(({ text, label }) => `${JSON.stringify({ text, label })}\n`).join("")
    yield* writeFileWhole(files.train, lines(train))
    yield* writeFileWhole(files.fresh, lines(fresh))
    yield* writeJson(files.run, repeated(run, files, labels))
  })
}

/** A run with other rows and another folder; paths are absolute, since those of a run file count from its folder. */
function repeated(
  { $schema: _, data: __, ...run }: RunSpec,
  files: ReturnType<typeof filesOf>,
  labels: ReadonlyArray<string>,
): RunSpec {
  const absolute = (path: string) => /^\w{2,}:/.test(path) ? path : resolve(path)
  const old = (rows: Readonly<Record<string, OldRowsSpec>>) =>
    Object.fromEntries(
      Object.entries(rows).map(([name, { path, ...own }]) =>
        [name, { ...own, path: typeof path === "string" ? absolute(path) : path.map(absolute) }] as const
      ),
    )
  return {
    ...run,
    model: { ...run.model, path: absolute(run.model.path) },
    data: { path: absolute(files.train), text: "text", label: "label", labels, test: 0 },
    ...run.replay === undefined ? {} : { replay: old(run.replay) },
    ...run.retain === undefined ? {} : { retain: old(run.retain) },
    output: absolute(files.output),
  }
}
