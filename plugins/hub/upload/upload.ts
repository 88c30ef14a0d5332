/**
 * Uploading an adapter: its files, with the base model in its config, and a card that says what was measured.
 * @module
 */
import { createRepo, uploadFiles } from "@huggingface/hub"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../core/contracts/attempt.ts"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { parseJson, readJson } from "../../../core/formats/json/json_file.ts"
import { HubError } from "../hub_error.ts"
import { type HubName, hubNameText, isHubName, parseHubName } from "../hub_name.ts"
import { Refusal } from "../requests/refusal.ts"
import type { Hub } from "../snapshot.ts"
import { modelCard } from "./model_card.ts"

/** Options of an upload. */
export interface UploadOptions {
  /** The repository, `hf:owner/name`; made where it is not there. With `@branch`: a branch that is there. */
  readonly to: string
  /** Folder of the run that made the adapter: its card says what was measured. Default: the folder that the adapter lies in. */
  readonly run?: string
  /** The base model, `hf:owner/name` or one with a revision. Default: what the adapter or the run says. */
  readonly base?: string
  /** Whether a repository that is made is private. Default true. */
  readonly private?: boolean
  /** Title of the commit. Default `"Upload an adapter"`. */
  readonly title?: string
}

/** What was uploaded. */
export interface Uploaded {
  /** The commit. */
  readonly commit: string
  /** Paths in the repository. */
  readonly files: ReadonlyArray<string>
}

const CONFIG = "adapter_config.json"
const CARD = "README.md"

/** What is uploaded of a folder: weights, configs, a tokenizer's files, the card; nothing that is hidden. */
const PUBLISHED = /^(?!.*(^|[/\\])\.).*\.(json|safetensors|jinja|txt|model|md)$/

type Contents = Map<string, Uint8Array<ArrayBuffer>>

/** Uploads the folder of an adapter in PEFT's files. A `README.md` in it is the card as it is. */
export function upload(
  folder: string,
  options: UploadOptions,
  hub: Hub,
): Effect.Effect<Uploaded, HubError | StorageError | JsonError> {
  return Effect.gen(function* () {
    const to = yield* attempt(() => parseHubName(options.to), HubError)
    yield* checkAllowed(to, hub)
    const files = yield* readAdapter(folder.replace(/(?<=.)\/+$/, ""), to, hub.fs)
    const run = yield* readRun(options.run ?? `${folder}/..`, hub.fs)
    const base = yield* baseOf(options.base, run?.config.model)
    const its = yield* withBase(files, base)
    if (!files.has(CARD)) {
      const empty = { config: {}, summary: {} }
      const card = modelCard({ repository: to.repository, base: its, ...run ?? empty })
      files.set(CARD, new TextEncoder().encode(card))
    }
    const commit = yield* send(to, files, options, hub)
    return { commit, files: [...files.keys()].sort() }
  })
}

function checkAllowed(to: HubName, { settings: { offline, token } }: Hub): Effect.Effect<void, HubError> {
  const refuse = (reason: "Offline" | "Access" | "Name", message: string) =>
    Effect.fail(new HubError({ reason, asked: hubNameText(to), message }))
  if (to.path !== "") return refuse("Name", `${hubNameText(to)} names a file: give a repository, hf:owner/name`)
  if (offline) return refuse("Offline", "the hub may not be asked (HF_HUB_OFFLINE): unset it to upload")
  if (token === undefined) return refuse("Access", "an upload needs a token that may write: set HF_TOKEN")
  return Effect.void
}

function readAdapter(
  folder: string,
  to: HubName,
  fs: FileSystem.FileSystem,
): Effect.Effect<Contents, HubError | StorageError> {
  return Effect.gen(function* () {
    const read = <A>(path: string, effect: Effect.Effect<A, Parameters<ReturnType<typeof toStorageError>>[0]>) =>
      Effect.mapError(effect, toStorageError(path, "read"))
    const names = yield* read(folder, fs.readDirectory(folder, { recursive: true }))
    const isRun = names.includes("events.jsonl")
    if (isRun || !names.some((path) => /^([^/\\]+[/\\])?adapter_config\.json$/.test(path))) {
      const why = isRun ? "it is the folder of a run: give its adapter" : `it holds no ${CONFIG}`
      return yield* new HubError({
        reason: "Content",
        asked: hubNameText(to),
        message: `"${folder}" is not uploaded as an adapter: ${why}`,
      })
    }
    const files: Contents = new Map()
    for (const name of names.filter((name) => PUBLISHED.test(name))) {
      const path = `${folder}/${name}`
      const { type } = yield* read(path, fs.stat(path))
      if (type === "File") files.set(name.replaceAll("\\", "/"), (yield* read(path, fs.readFile(path))).slice())
    }
    return files
  })
}

/** What a run's folder says, where it is one. */
function readRun(folder: string, fs: FileSystem.FileSystem) {
  const read = (name: string) =>
    readJson(`${folder}/${name}`).pipe(
      Effect.map((value) => (typeof value === "object" ? value ?? {} : {}) as Readonly<Record<string, unknown>>),
      Effect.provideService(fileSystem, fs),
    )
  return Effect.gen(function* () {
    return { config: yield* read("config.json"), summary: yield* read("summary.json") }
  }).pipe(
    Effect.catchTag(
      "StorageError",
      (error) => error.reason === "NotFound" ? Effect.succeed(undefined) : Effect.fail(error),
    ),
  )
}

/** The base model's name, where it is on a hub. */
function baseOf(given: string | undefined, trained: unknown): Effect.Effect<HubName | undefined, HubError> {
  const text = given ?? (typeof trained === "string" && isHubName(trained) ? trained : undefined)
  return text === undefined ? Effect.succeed(undefined) : attempt(() => parseHubName(text), HubError)
}

/**
 * Writes the base model into the configs; gives its name. Where it is not known, what they name stays if it may be a name on a
 * hub, and a folder of one's own machine goes.
 */
function withBase(files: Contents, base: HubName | undefined): Effect.Effect<string | undefined, JsonError> {
  return attempt(() => {
    let its = base?.repository
    for (const [path, bytes] of files) {
      if (path.split("/").at(-1) !== CONFIG) continue
      const config = configIn(path, bytes)
      const named = String(config.base_model_name_or_path ?? "")
      const known = base ??
        (/^[\w.-]+\/[\w.-]+$/.test(named) ? { repository: named, revision: config.revision } : undefined)
      const revision = known?.revision === "main" ? null : known?.revision ?? null
      its ??= known?.repository
      const tokenizer = config.tokenizer_name_or_path === named ? { tokenizer_name_or_path: its ?? null } : {}
      const own = { base_model_name_or_path: known?.repository ?? null, revision, ...tokenizer }
      files.set(path, new TextEncoder().encode(`${JSON.stringify({ ...config, ...own }, null, 2)}\n`))
    }
    return its
  }, JsonError)
}

function configIn(path: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const value = parseJson(new TextDecoder().decode(bytes), path)
  if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>
  throw new JsonError({ reason: "Value", file: path, message: `${path} must hold an object` })
}

function send(
  to: HubName,
  files: Contents,
  options: UploadOptions,
  { requests: { ask, library } }: Hub,
): Effect.Effect<string, HubError> {
  const repo = { type: "model", name: to.repository } as const
  const isThere = (error: unknown) => error instanceof Refusal && error.status === 409
  const make = ask(
    to,
    () =>
      createRepo({ ...library, repo, visibility: options.private ?? true ? "private" : "public", accessToken: "" })
        .catch((error) => {
          if (!isThere(error)) throw error
        }),
  )
  const upload = ask(to, () =>
    uploadFiles({
      ...library,
      repo,
      branch: to.revision,
      useXet: false,
      commitTitle: options.title ?? "Upload an adapter",
      files: [...files].map(([path, bytes]) => ({ path, content: new Blob([bytes]) })),
    }))
  // Without a commit only where the repository is a bucket.
  return make.pipe(Effect.andThen(upload), Effect.map((done) => done!.commit.oid))
}
