import * as Data from "effect/Data"
import type { PlatformError } from "effect/PlatformError"

/** What a {@link StorageError} holds. */
export interface StorageErrorFields {
  /** Kind of failure. `NoSpace` is a full disk or an exhausted quota. */
  readonly reason: "NoSpace" | "Exists" | "Permission" | "NotFound" | "Other"
  /** The file or directory that was worked on. */
  readonly path: string
  /** What happened, where, and what to do. */
  readonly message: string
  /** The underlying failure. */
  readonly cause?: unknown
}
/** A file or directory could not be read or written. */
export class StorageError extends Data.Error<StorageErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "StorageError" = "StorageError"
  /** Shown in stack traces. */
  override readonly name: string = "StorageError"
}

// Effect names the common failures; a full disk it calls "Unknown", and only the system's code tells.
const FULL = new Set(["ENOSPC", "EDQUOT"])

function reasonOf(error: PlatformError): StorageErrorFields["reason"] {
  const { code, name } = (error.reason.cause ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  // Deno's own refusal has no code.
  if (name === "NotCapable") return "Permission"
  if (typeof code === "string" && FULL.has(code)) return "NoSpace"
  switch (error.reason._tag) {
    case "AlreadyExists":
      return "Exists"
    case "PermissionDenied":
      return "Permission"
    case "NotFound":
      return "NotFound"
    default:
      return code === "EROFS" ? "Permission" : code === "ENOTEMPTY" ? "Exists" : "Other"
  }
}

/** What another file system than the machine's says itself of a failure. */
export function toldOf({ reason: { module, description } }: PlatformError): string | undefined {
  return module === "FileSystem" ? undefined : description
}

function explain(reason: StorageErrorFields["reason"], error: PlatformError): string {
  switch (reason) {
    case "NoSpace":
      return "no space left on the device: free some, or write somewhere else"
    case "Exists":
      return "something is there already"
    case "Permission":
      return "permission denied: check the file's mode, and Deno's --allow-read and --allow-write"
    case "NotFound":
      return "no such file or directory"
    case "Other": {
      const cause = error.reason.cause
      return cause instanceof Error ? cause.message : error.message
    }
  }
}

/** Whether a failure says that nothing is there: no such file, nor within what is no directory. */
export function isAbsent({ reason }: PlatformError): boolean {
  return reason._tag === "NotFound" || (reason.cause as { readonly code?: unknown } | undefined)?.code === "ENOTDIR"
}

/**
 * Turns a platform failure into a {@link StorageError}.
 * @param path The file or directory, as the person named it.
 * @param action What was tried: "read", "write", ...
 */
export function toStorageError(path: string, action: string): (error: PlatformError) => StorageError {
  return (error) => {
    const reason = reasonOf(error)
    return new StorageError({
      reason,
      path,
      message: `cannot ${action} "${path}": ${toldOf(error) ?? explain(reason, error)}`,
      cause: error,
    })
  }
}
