/**
 * A hub with a cache of its own for a test.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Hub from "../../../plugins/hub/mod.ts"
import { type HubServer, startHub } from "../../support/hub_server.ts"

/** What a test is given. */
export interface Given {
  readonly server: HubServer
  /** Folder of the cache; not there yet. */
  readonly cache: string
  /** Runs an effect with the hub, as a program of its own. */
  readonly run: <A, E>(
    effect: Effect.Effect<A, E, Hub.Hub | FileSystem.FileSystem>,
    options?: Hub.HubOptions,
    files?: Layer.Layer<FileSystem.FileSystem>,
  ) => Promise<A>
  /** The failure of an effect. */
  readonly failure: (
    effect: Effect.Effect<unknown, unknown, Hub.Hub | FileSystem.FileSystem>,
    options?: Hub.HubOptions,
    files?: Layer.Layer<FileSystem.FileSystem>,
  ) => Promise<Hub.HubError>
}

/** A token as the hub gives them. */
export const TOKEN = "hf_aTokenThatNobodyMaySee"
export const token: Redacted.Redacted<string> = Redacted.make(TOKEN)

/** A test with a server and an empty cache. */
export const withHub = (test: (given: Given) => Promise<void>) => async (): Promise<void> => {
  const server = startHub()
  const folder = await Deno.realPath(await Deno.makeTempDir())
  const cache = `${folder}/hub`
  const layerOf = (options: Hub.HubOptions, files = NodeFileSystem.layer) =>
    Hub.layer({ endpoint: server.endpoint, cache, ...options }).pipe(Layer.provideMerge(files))
  const run: Given["run"] = (effect, options = {}, files) =>
    Effect.runPromise(Effect.provide(effect, layerOf(options, files)))
  try {
    await test({
      server,
      cache,
      run,
      failure: (effect, options, files) =>
        run(Effect.flip(effect) as Effect.Effect<Hub.HubError, never, Hub.Hub>, options, files),
    })
  } finally {
    await server.close()
    await Deno.remove(folder, { recursive: true })
  }
}

/** Downloads by name. */
export const download = (name: string): Effect.Effect<string, Hub.HubError, Hub.Hub> =>
  Effect.flatMap(Hub.Hub, ({ download }) => download(name))

/** Bytes that are not all alike. */
export const bytes = (length: number, seed = 1): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * seed) & 255)

/** All paths below a folder, sorted. */
export function filesBelow(folder: string): Array<string> {
  const found = [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}/${name}`).map((inner) => `${name}/${inner}`) : [name]
  )
  return found.sort()
}
