/** Files of a model or an adapter, by their paths. */
export interface Place {
  /** A file; undefined where it is not there. */
  readonly find: (path: string) => Promise<Blob | undefined>
  /** Paths of the files that are known. */
  readonly paths: () => Iterable<string>
}

/** Files that are at hand. */
export const placeOfFiles = (files: ReadonlyMap<string, Blob>): Place => ({
  find: (path) => Promise.resolve(files.get(path)),
  paths: () => files.keys(),
})
