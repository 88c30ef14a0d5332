import { createHash, type Hash } from "node:crypto"

/** A file of a repository. */
export interface RemoteFile {
  /** Bytes. */
  readonly size: number
  /** SHA-256 of a file in LFS (64 digits), git's SHA-1 of any other (40). */
  readonly oid: string
}

/** Whether a text is a digest, which is also a file's name. */
export function isOid(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
}

/** A digest that grows with a file's bytes; `oid` is its value at the end. */
export function digestFor({ size, oid }: RemoteFile): Hash {
  if (oid.length === 64) return createHash("sha256")
  return createHash("sha1").update(`blob ${size}\0`)
}
