import { InferenceError } from "../inference_error.ts"
import { fetchFile, type FetchOptions } from "./fetch_file.ts"
import { type Place, placeOfFiles } from "./place.ts"

/** A folder of the browser's: `FileSystemDirectoryHandle`, of the origin private file system or chosen by a person. */
export interface FolderHandle {
  /** What it is. */
  readonly kind: "directory"
  /** What lies in it. */
  readonly values: () => AsyncIterable<FolderHandle | FileHandle>
  /** Its name. */
  readonly name: string
}

/** A file of the browser's: `FileSystemFileHandle`. */
export interface FileHandle {
  /** What it is. */
  readonly kind: "file"
  /** Its name. */
  readonly name: string
  /** Its content. */
  readonly getFile: () => Promise<Blob>
}

/** A file: its content, or where to fetch it. */
export type FileContent = Blob | Uint8Array | URL | string

/**
 * Files of a model, or of an adapter:
 *
 * - the address of a folder (or of a `.gguf` or `.zip` file), from which those are fetched that are read;
 * - a Blob or File with a GGUF file or a ZIP archive;
 * - files that a person chose or dropped, such as a `FileList`;
 * - a folder of the browser's, such as one of the origin private file system;
 * - an object of files by their names.
 */
export type Files = string | URL | Blob | Iterable<Blob> | FolderHandle | { readonly [name: string]: FileContent }

/** Where files are found. */
export async function placeOf(files: Files, options: FetchOptions = {}): Promise<Place> {
  if (typeof files === "string" || files instanceof URL) return await placeAt(addressOf(files), options)
  if (files instanceof Blob) return placeOfFiles(await filesIn(files))
  if (typeof files !== "object" || files === null) throw wrongFiles(files)
  if (isFolder(files)) return placeOfFiles(withoutTop(await filesBelow(files)))
  if (Symbol.iterator in files) return placeOfFiles(await filesOfList(files as Iterable<Blob>))
  const entries = Object.entries(files as { readonly [name: string]: FileContent })
  if (entries.length === 0) throw wrongFiles({})
  return placeOfFiles(
    new Map(
      await Promise.all(entries.map(async ([name, content]) => {
        if (content instanceof Blob) return [name, content] as const
        if (ArrayBuffer.isView(content)) return [name, new Blob([content as Uint8Array<ArrayBuffer>])] as const
        if (typeof content !== "string" && !(content instanceof URL)) throw wrongFiles({ [name]: content })
        const address = addressOf(content).href
        const blob = await fetchFile(address, options)
        if (blob === undefined) throw new InferenceError("Files", `${address} cannot be fetched: there is no such file`)
        return [name, blob] as const
      })),
    ),
  )
}

const wrongFiles = (given: unknown): InferenceError =>
  new InferenceError(
    "Options",
    "files must be an address, a Blob, files, a folder or an object of files by name, got " +
      (JSON.stringify(given) ?? String(given)),
  )

const isFolder = (files: object): files is FolderHandle =>
  "kind" in files && files.kind === "directory" && "values" in files && typeof files.values === "function"

/** An address; a page's may be relative. */
function addressOf(given: string | URL): URL {
  const base = (globalThis as { readonly location?: { readonly href: string } }).location?.href
  try {
    return new URL(given, base)
  } catch {
    throw new InferenceError(
      "Options",
      `files must be at an address such as https://example.org/model/, got "${given}"`,
    )
  }
}

/** A folder, or one file that stands for one. */
async function placeAt(address: URL, options: FetchOptions): Promise<Place> {
  if (/\.(gguf|zip)$/i.test(address.pathname)) {
    const blob = await fetchFile(address.href, options)
    if (blob === undefined) {
      throw new InferenceError("Files", `${address.href} cannot be fetched: there is no such file`)
    }
    return placeOfFiles(await filesIn(blob))
  }
  const folder = address.pathname.replace(/\/*$/, "/")
  const asked = new Map<string, Promise<Blob | undefined>>()
  const there = new Set<string>()
  const find = async (path: string) => {
    const blob = await fetchFile(Object.assign(new URL(address), { pathname: folder + path }).href, options)
    if (blob !== undefined) there.add(path)
    return blob
  }
  return {
    find: (path) => {
      const found = asked.get(path) ?? find(path)
      asked.set(path, found)
      // What failed may be asked for again.
      found.catch(() => asked.delete(path))
      return found
    },
    paths: () => there,
  }
}

/** Files of an archive, or a GGUF file. */
async function filesIn(blob: Blob): Promise<ReadonlyMap<string, Blob>> {
  const begin = await blob.slice(0, 4).text()
  if (begin === "GGUF") return new Map([["model.gguf", blob]])
  if (begin.startsWith("PK")) {
    const { unzip } = await import("./unzip.ts")
    return withoutTop(await unzip(blob))
  }
  const name = "name" in blob ? `"${blob.name}"` : "the file"
  throw new InferenceError("Files", `${name} is neither a GGUF file nor a ZIP archive: give all files of the folder`)
}

/** Files that were chosen: of a folder with their paths, else by their names; one alone may be an archive. */
async function filesOfList(list: Iterable<Blob>): Promise<ReadonlyMap<string, Blob>> {
  const all = [...list]
  if (all.length === 0) throw wrongFiles([])
  const odd = all.find((one) => !(one instanceof Blob))
  if (odd !== undefined) throw wrongFiles([odd])
  if (all.length === 1) return await filesIn(all[0])
  const pathOf = (file: Blob & { readonly webkitRelativePath?: string; readonly name?: string }) =>
    file.webkitRelativePath || file.name || ""
  return withoutTop(new Map(all.map((file) => [pathOf(file), file])))
}

async function filesBelow(folder: FolderHandle): Promise<Map<string, Blob>> {
  const files = new Map<string, Blob>()
  for await (const inner of folder.values()) {
    if (inner.kind === "file") files.set(inner.name, await inner.getFile())
    else for (const [path, file] of await filesBelow(inner)) files.set(`${inner.name}/${path}`, file)
  }
  return files
}

/** Without a folder that all of them lie in. */
function withoutTop(files: ReadonlyMap<string, Blob>): ReadonlyMap<string, Blob> {
  const [first = ""] = files.keys()
  const top = first.slice(0, first.indexOf("/") + 1)
  if (top === "" || ![...files.keys()].every((path) => path.startsWith(top))) return files
  return withoutTop(new Map([...files].map(([path, file]) => [path.slice(top.length), file])))
}
