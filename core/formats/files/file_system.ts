/**
 * Effect's key of the file system. A context finds services by the text of their key, so a page that reads files needs no
 * streams and no globs, which the module `effect/FileSystem` brings.
 * @module
 */
import * as Context from "effect/Context"
import type { FileSystem as Service } from "effect/FileSystem"

/** Key of the files of the machine, or of a page: the one of `effect/FileSystem`. */
export const fileSystem: Context.Service<Service, Service> = Context.Service<Service, Service>("effect/FileSystem")
