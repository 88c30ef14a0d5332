/**
 * What a hub has under a name: first the commit of the revision, then the files of that commit. All later requests name the
 * commit, so that what one program reads is of one state of the repository.
 * @module
 */
import { type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub"
import * as Effect from "effect/Effect"
import { isCommit } from "../cache/layout.ts"
import { isOid, type RemoteFile } from "../cache/digest.ts"
import { HubError } from "../hub_error.ts"
import { type HubName, hubNameText, isPathPart } from "../hub_name.ts"
import type { Requests } from "./requests.ts"

/** A repository at a commit. */
export interface Listing {
  readonly commit: string
  /** Its files by path. */
  readonly files: ReadonlyMap<string, RemoteFile>
}

/** Asks for the commit of a revision and its files. */
export function listingOf(asked: HubName, { ask, library }: Requests): Effect.Effect<Listing, HubError> {
  return Effect.gen(function* () {
    const { repository, revision } = asked
    const { sha } = yield* ask(
      asked,
      () => modelInfo({ ...library, name: repository, revision, additionalFields: ["sha"] }),
    )
    if (!isCommit(String(sha))) return yield* broken(asked, `it answers with ${JSON.stringify(sha)} as the commit`)
    const entries = yield* ask(asked, async () => {
      const all: Array<ListFileEntry> = []
      const repo = { type: "model", name: repository } as const
      for await (const entry of listFiles({ ...library, repo, revision: sha, recursive: true })) all.push(entry)
      return all
    })
    const files = new Map<string, RemoteFile>()
    for (const { type, path, size, oid, lfs } of entries) {
      if (type !== "file") continue
      const file = { size: lfs?.size ?? size, oid: lfs?.oid ?? oid ?? "" }
      const isFile = isOid(file.oid) && Number.isSafeInteger(file.size) && path.split("/").every(isPathPart)
      if (!isFile) return yield* broken(asked, `it lists ${JSON.stringify(path)}, which cannot be in a cache`)
      files.set(path, file)
    }
    return { commit: sha, files }
  })
}

/** The address of a file, whatever it is redirected to. */
export function addressOf({ repository, path }: HubName, commit: string, { library }: Requests): string {
  return `${library.hubUrl}/${repository}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`
}

function broken(asked: HubName, what: string): Effect.Effect<never, HubError> {
  const text = hubNameText(asked)
  return Effect.fail(
    new HubError({ reason: "Broken", asked: text, message: `the hub's answer for ${text} is no use: ${what}` }),
  )
}
