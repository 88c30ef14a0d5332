import * as Redacted from "effect/Redacted"
import { faultsOf } from "../../core/options/check.ts"
import type { OptionTable } from "../../core/options/field.ts"
import * as field from "../../core/options/fields.ts"
import { HubError } from "./hub_error.ts"

/** Bytes of a file that is being downloaded. */
export interface DownloadEvent {
  /** The file: `hf:owner/name@revision/path`. */
  readonly file: string
  /** Bytes so far, those of an earlier attempt included. */
  readonly received: number
  /** Bytes of the file. */
  readonly size: number
}

/** Options of a hub. What is left out, the environment says, by the names that Python's `huggingface_hub` reads. */
export interface HubOptions {
  /** Address of the hub. Default: `HF_ENDPOINT`, otherwise that of `@huggingface/hub`. */
  readonly endpoint?: string
  /** Folder of the cache. Default: `HF_HUB_CACHE`, otherwise `hub` in `HF_HOME` (`~/.cache/huggingface`). */
  readonly cache?: string
  /** An access token; goes to `endpoint` alone. Default: `HF_TOKEN`, otherwise the file `HF_TOKEN_PATH` (`token` in `HF_HOME`). */
  readonly token?: Redacted.Redacted<string>
  /** Use the cache alone. Default: `HF_HUB_OFFLINE`, otherwise false. */
  readonly offline?: boolean
  /** Told of each piece of a download, to show progress. Default: nothing. */
  readonly observe?: (event: DownloadEvent) => void
}

/** {@link HubOptions} as a table. */
export const OPTIONS: OptionTable<HubOptions, keyof HubOptions> = {
  endpoint: field.text({
    pattern: "^https?://[^/]",
    wanted: "an http or https address",
    absent: "HF_ENDPOINT",
    doc: "Address of the hub",
  }),
  cache: field.text({ pattern: ".", wanted: "a folder", absent: "HF_HUB_CACHE", doc: "Folder of the cache" }),
  token: field.opaque<Redacted.Redacted<string>>()({
    wanted: "a Redacted text",
    absent: "HF_TOKEN",
    doc: "Access token",
    // The value stays out of the message.
    faults: (value, at) => Redacted.isRedacted(value) ? [] : [{ at, message: `${at} must be a Redacted text` }],
  }),
  offline: field.boolean({ absent: "HF_HUB_OFFLINE", doc: "Use the cache alone" }),
  observe: field.opaque<(event: DownloadEvent) => void>()({
    wanted: "a function",
    doc: "Told of each piece of a download",
    faults: (value, at) => typeof value === "function" ? [] : [{ at, message: `${at} must be a function` }],
  }),
}

/** Throws {@link HubError} `Options` with all faults. */
export function checkOptions(options: HubOptions): void {
  const faults = faultsOf(OPTIONS, options)
  if (faults.length === 0) return
  const message = `hub: ${faults.map(({ message }) => message).join("; ")}`
  throw new HubError({ reason: "Options", asked: "hub", message })
}
