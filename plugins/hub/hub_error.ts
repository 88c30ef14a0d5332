import * as Data from "effect/Data"

/** What a {@link HubError} holds. */
export interface HubErrorFields {
  /**
   * Kind of failure. `Options`: an option makes no sense. `Name`: no name of a hub's file, or one that would leave the cache. `Repository`, `Revision`, `File`: the
   * hub has none such. `Access`: a token is required, or it may not do this. `Offline`: not in the cache, and the hub may not be
   * asked. `Network`: the hub cannot be reached, or it fails. `Broken`: other bytes than the hub lists. `NoSpace`: the disk of
   * the cache is full. `Cache`: the cache cannot be written. `Content`: what is to be uploaded is no adapter.
   */
  readonly reason:
    | "Options"
    | "Name"
    | "Repository"
    | "Revision"
    | "File"
    | "Access"
    | "Offline"
    | "Network"
    | "Broken"
    | "NoSpace"
    | "Cache"
    | "Content"
  /** What was asked for: `hf:owner/name@revision/path`. */
  readonly asked: string
  /** What happened, and what to do. */
  readonly message: string
  /** The failure below, of the file system. A failed request is told by the message alone: it may hold a signed address. */
  readonly cause?: unknown
}
/** A name of a hub cannot be resolved, downloaded or uploaded. It never holds a token. */
export class HubError extends Data.Error<HubErrorFields> {
  /** Tag for `Effect.catchTag`. */
  readonly _tag: "HubError" = "HubError"
  /** Shown in stack traces. */
  override readonly name: string = "HubError"
}
