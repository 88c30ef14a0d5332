/**
 * Where a repository's files lie in the cache, as Python's tools have it:
 *
 * ```text
 * .locks/models--owner--name/OID.lock
 * models--owner--name/
 *   refs/main                          the commit of a branch or tag
 *   blobs/OID                          contents by SHA-256 (LFS) or git's SHA-1; OID.incomplete while it comes
 *   snapshots/COMMIT/config.json       a link to a blob
 * ```
 *
 * @module
 */

/** Paths of a repository. */
export interface Layout {
  /** Folder of locks. */
  readonly locks: string
  readonly blobs: string
  readonly lock: (oid: string) => string
  readonly blob: (oid: string) => string
  readonly ref: (revision: string) => string
  readonly snapshot: (commit: string) => string
}

/** Paths of `owner/name`, in a cache's folder. */
export function layoutOf(cache: string, repository: string): Layout {
  const name = `models--${repository.replace("/", "--")}`
  const own = `${cache}/${name}`
  const locks = `${cache}/.locks/${name}`
  return {
    locks,
    blobs: `${own}/blobs`,
    lock: (oid) => `${locks}/${oid}.lock`,
    blob: (oid) => `${own}/blobs/${oid}`,
    ref: (revision) => `${own}/refs/${revision}`,
    snapshot: (commit) => `${own}/snapshots/${commit}`,
  }
}

/** Whether a text is a full commit, which is also the name of a folder. */
export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text)
}

/** The way from a file in a snapshot to a blob: links stay right when the cache is moved. */
export function linkTarget(path: string, oid: string): string {
  return `${"../".repeat(path.split("/").length + 1)}blobs/${oid}`
}
