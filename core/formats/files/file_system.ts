/**
 * Effect's key of the file system. A context finds services by the text of their key, so a page that reads files needs no
 * streams and no globs, which the module `effect/FileSystem` brings.
 * @module
 */
import * as Context from "effect/Context"
import type { FileSystem as Service } from "effect/FileSystem"

/** Files of the machine, or of a page. */
export type FileSystem = Service
/** Key of {@link FileSystem}: the one of `effect/FileSystem`. */
export const FileSystem: Context.Service<Service, Service> = Context.Service<Service, Service>("effect/FileSystem")
