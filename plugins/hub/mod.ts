/**
 * Models, tokenizers and adapters by their names on a hub: with {@link layer}, `hf:owner/name@revision` stands wherever a path
 * is read. Files come as they are read, into the cache that Python's tools share, checked by length and digest; an adapter
 * goes back with a card that says what was measured.
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { Espalier, Model, Task, Tokenizer } from "@espalier/espalier"
 * import * as Hub from "@espalier/espalier/hub"
 * import * as Llama from "@espalier/espalier/llama"
 *
 * const name = "hf:HuggingFaceTB/SmolLM2-135M-Instruct"
 * export const program = Effect.gen(function* () {
 *   const tokenizer = yield* Tokenizer.loadTokenizer(name)
 *   const model = yield* Model.load(name, { task: Task.causalLM(), frozen: true })
 *   return yield* Model.generate(model, [tokenizer.encode("Pruning is")], { maxNewTokens: 8 })
 * })
 *
 * const Main = Llama.layer.pipe(Layer.provideMerge(Hub.layer()), Layer.provideMerge(Espalier.layer))
 * export const run = () => Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Main)))
 * ```
 *
 * @module
 */
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { attempt } from "../../core/contracts/attempt.ts"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import type { StorageError } from "../../core/formats/files/storage_error.ts"
import type { JsonError } from "../../core/formats/json/json_error.ts"
import { fetchAhead } from "./fetch_ahead.ts"
import { hubFiles } from "./hub_files.ts"
import { HubError } from "./hub_error.ts"
import { type HubName, hubNameText, parseHubName } from "./hub_name.ts"
import { checkOptions, type HubOptions } from "./options.ts"
import { requestsOf } from "./requests/requests.ts"
import { settingsOf } from "./settings.ts"
import type { Hub as Inner, Snapshot } from "./snapshot.ts"
import type { Uploaded, UploadOptions } from "./upload/upload.ts"

export { baseModel } from "./base_model.ts"
export { HubError, type HubErrorFields } from "./hub_error.ts"
export { type DownloadEvent, type HubOptions, OPTIONS as options } from "./options.ts"
export { showDownloads } from "./show_downloads.ts"
export type { Uploaded, UploadOptions } from "./upload/upload.ts"
export type { JsonError } from "../../core/formats/json/json_error.ts"
export type { StorageError } from "../../core/formats/files/storage_error.ts"
export type { ProgressOutput } from "../../core/report/progress.ts"

/** What a hub does beside resolving names. */
export interface HubService {
  /**
   * Fetches a file, or what models, tokenizers and adapters are read from, ahead of its use; gives the path in the cache. Of a
   * folder: configs, tokenizer files, templates and safetensors, no weights of other formats.
   */
  readonly download: (name: string) => Effect.Effect<string, HubError>
  /** The commit that a name stands for in this program. */
  readonly commit: (name: string) => Effect.Effect<string, HubError>
  /**
   * Uploads the folder of an adapter as one commit, with a model card made from the run that it lies in. Its own repository is
   * made, private unless told otherwise, where it is not there.
   */
  readonly upload: (
    folder: string,
    options: UploadOptions,
  ) => Effect.Effect<Uploaded, HubError | StorageError | JsonError>
}

/** Identity of the service. */
export interface Hub {
  /** Nominal brand. */
  readonly "~espalier/Hub": "~espalier/Hub"
}
/** Key of the service. */
export const Hub: Context.Service<Hub, HubService> = Context.Service<Hub, HubService>("@espalier/espalier/Hub")

/**
 * The hub, and a file system in which its names are paths, over the given one. Nothing is asked, nor read of the environment,
 * before a name is met. Fails with {@link HubError} `Options` on options that make no sense.
 */
export function layer(
  options: HubOptions = {},
): Layer.Layer<Hub | FileSystem.FileSystem, HubError, FileSystem.FileSystem> {
  return Layer.effectContext(Effect.gen(function* () {
    yield* attempt(() => checkOptions(options), HubError)
    const fs = yield* fileSystem
    const hub = yield* Effect.cached(Effect.map(settingsOf(options, fs), (settings): Inner => ({
      settings,
      fs,
      requests: requestsOf(settings),
    })))
    const snapshots = yield* snapshotsOf(hub)
    const named = (text: string) => attempt(() => parseHubName(text), HubError)
    const service: HubService = {
      download: (text) =>
        Effect.flatMap(named(text), (name) => Effect.flatMap(snapshots(name), (found) => fetchAhead(name, found))),
      commit: (text) => Effect.flatMap(named(text), (name) => Effect.map(snapshots(name), ({ commit }) => commit)),
      upload: (folder, options) =>
        Effect.gen(function* () {
          const { upload } = yield* Effect.promise(() => import("./upload/upload.ts"))
          return yield* upload(folder, options, yield* hub)
        }),
    }
    return Context.make(Hub, service).pipe(Context.add(fileSystem, hubFiles(fs, snapshots)))
  }))
}

/** Snapshots by name: one program sees one state of a repository. A failure is not kept. */
function snapshotsOf(
  hub: Effect.Effect<Inner, HubError>,
): Effect.Effect<(name: HubName) => Effect.Effect<Snapshot, HubError>> {
  const lookup = (text: string) =>
    Effect.gen(function* () {
      const { snapshotOf } = yield* Effect.promise(() => import("./snapshot.ts"))
      return yield* snapshotOf(parseHubName(text), yield* hub)
    })
  return Effect.map(
    Cache.makeWith(lookup, { capacity: 1000, timeToLive: (exit) => Exit.isSuccess(exit) ? "365 days" : 0 }),
    (cache) => (name) => Cache.get(cache, hubNameText({ ...name, path: "" })),
  )
}
