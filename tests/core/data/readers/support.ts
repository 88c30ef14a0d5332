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
