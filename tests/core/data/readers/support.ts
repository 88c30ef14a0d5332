import * as Effect from "effect/Effect"
import type { Source } from "../../../../core/data/table/source.ts"
import * as Dataset from "../../../../core/tasks/dataset/dataset.ts"
import { failure, run, withFile } from "../support.ts"

const columns = { prompt: "note", completion: "kind" }

/** What a file with the columns "note" and "kind" gives: its cells, their lines, and the notes without the path. */
export const read = (name: string, content: string | Uint8Array, options: Dataset.DatasetOptions = {}) =>
  withFile(name, content, async (path) => {
    const { rows, notes = [] } = await run(Dataset.file(path, columns, options))
    return {
      cells: rows.map(({ prompt, completion }) => [prompt, completion]),
      lines: rows.map(({ row }) => row),
      notes: notes.map((note) => note.replace(path, name)),
    }
  })

/** The error that reading it fails with, its message without the path. */
export const refused = (name: string, content: string | Uint8Array, options: Dataset.DatasetOptions = {}) =>
  withFile(name, content, async (path) => {
    const { reason, rows, message } = await failure(Dataset.file(path, columns, options))
    return { reason, rows, message: message.replace(path, name) }
  })

/** A source that notes how far it was read. */
export const sourceOf = (bytes: Uint8Array<ArrayBuffer>) => {
  const read = { to: 0, whole: false }
  const source: Source = {
    name: "made",
    size: Effect.succeed(bytes.length),
    bytes: Effect.sync(() => {
      read.whole = true
      return bytes
    }),
    part: (start, length) =>
      Effect.sync(() => {
        read.to = Math.max(read.to, start + length)
        return bytes.subarray(start, start + length)
      }),
  }
  return { source, read }
}

/** Packed bytes. */
export const gzip = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(
    await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  )
