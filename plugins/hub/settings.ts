import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import { environmentVariable } from "../../core/backend/environment.ts"
import { HubError } from "./hub_error.ts"
import type { DownloadEvent, HubOptions } from "./options.ts"

/** Options in force. */
export interface Settings {
  readonly endpoint: URL
  /** The cache's folder, without a slash at its end. */
  readonly cache: string
  readonly token: Redacted.Redacted<string> | undefined
  readonly offline: boolean
  readonly observe: (event: DownloadEvent) => void
}

/** The hub that models are published on. */
const HUB = "https://huggingface.co"
const TRUE = new Set(["1", "ON", "YES", "TRUE"])

/** The first of these variables that is set. */
const variable = (...names: ReadonlyArray<string>): string | undefined =>
  names.map(environmentVariable).find((value) => value !== undefined)

/** Options, with what the environment says in place of those that are left out. */
export function settingsOf(options: HubOptions, fs: FileSystem.FileSystem): Effect.Effect<Settings, HubError> {
  return Effect.gen(function* () {
    const {
      observe = () => {},
      offline = TRUE.has(variable("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")?.toUpperCase() ?? ""),
    } = options
    const cache = options.cache ?? variable("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? below(home(), "hub")
    if (cache === undefined) {
      const message =
        "there is no folder for the hub's cache: set HF_HOME or HF_HUB_CACHE (in Deno with --allow-env), " +
        "or give the option cache"
      return yield* new HubError({ reason: "Cache", asked: "hub", message })
    }
    const token = options.token ?? (yield* tokenOf(fs))
    const endpoint = yield* endpointOf(options.endpoint ?? variable("HF_ENDPOINT") ?? HUB)
    return { endpoint, cache: expanded(cache).replace(/(?<=.)\/+$/, ""), token, offline, observe }
  })
}

function endpointOf(text: string): Effect.Effect<URL, HubError> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol)) return Effect.succeed(url)
  const message = "the address of the hub (HF_ENDPOINT) must be an http or https address"
  return Effect.fail(new HubError({ reason: "Options", asked: "hub", message }))
}

/** Where Python's tools keep their files, as far as the environment may be read. */
function home(): string | undefined {
  const caches = variable("XDG_CACHE_HOME") ?? below(variable("HOME", "USERPROFILE"), ".cache")
  return variable("HF_HOME") ?? below(caches, "huggingface")
}

const below = (folder: string | undefined, name: string): string | undefined =>
  folder === undefined ? undefined : `${expanded(folder)}/${name}`

const expanded = (path: string): string => path.replace(/^~(?=\/|$)/, () => variable("HOME", "USERPROFILE") ?? "~")

/** The token of the environment, or of the file that `hf auth login` writes. */
function tokenOf(fs: FileSystem.FileSystem): Effect.Effect<Redacted.Redacted<string> | undefined> {
  const own = variable("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
  const file = variable("HF_TOKEN_PATH") ?? below(home(), "token")
  const text = own !== undefined || file === undefined
    ? Effect.succeed(own ?? "")
    : Effect.orElseSucceed(fs.readFileString(expanded(file)), () => "")
  return Effect.map(text, (text) => {
    const token = text.replace(/[\r\n]/g, "").trim()
    return token === "" ? undefined : Redacted.make(token)
  })
}
