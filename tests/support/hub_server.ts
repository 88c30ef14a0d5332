/**
 * A server on this machine that speaks the hub's API, as far as models, adapters and uploads need it: revisions, paged
 * listings, files with redirects to a second host, ranges, gates, commits. It can break off, change and slow down what it sends.
 * @module
 */
import { createHash } from "node:crypto"

/** Files of a repository by path. */
export type Files = Readonly<Record<string, string | Uint8Array>>

/** What goes wrong on purpose with the files that lie on the second host. */
export interface Faults {
  /** Bytes after which a connection is closed; each answer, or as many answers as there are numbers. */
  cutAfter: Array<number>
  /** Whether the first byte of each file is another one. */
  tampers: boolean
  /** Whether ranges are ignored. */
  ignoresRanges: boolean
  /** Milliseconds between pieces of 64 KB. */
  pause: number
  /** Statuses of the next answers, in place of the real ones. */
  statuses: Array<number>
}

/** A request, as it came. */
export interface Seen {
  readonly method: string
  /** Which of the two hosts. */
  readonly host: "hub" | "files"
  readonly path: string
  readonly range: string | null
  readonly authorization: string | null
}

interface Repository {
  /** Commits by revision. */
  readonly refs: Map<string, string>
  readonly commits: Map<string, ReadonlyMap<string, Uint8Array<ArrayBuffer>>>
  /** Token without which files are not given. */
  gate?: string | undefined
  /** Whether it is hidden without that token. */
  hidden?: boolean | undefined
  isPrivate?: boolean
}

/** A running server. */
export interface HubServer {
  readonly endpoint: string
  /** Port of the hub, and of the host that it redirects to. */
  readonly ports: ReadonlyArray<number>
  readonly seen: Array<Seen>
  readonly faults: Faults
  readonly repositories: Map<string, Repository>
  /** Adds a commit; gives its name. */
  readonly commit: (
    name: string,
    files: Files,
    options?: Partial<Repository> & { readonly revision?: string },
  ) => string
  readonly close: () => Promise<void>
}

const bytesOf = (content: string | Uint8Array): Uint8Array<ArrayBuffer> =>
  typeof content === "string" ? new TextEncoder().encode(content) : content.slice()

/** SHA-256 of bytes. */
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
/** Git's SHA-1 of a file. */
export const gitSha = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")

const isLarge = (path: string): boolean => /\.(safetensors|gguf|bin)$/.test(path)
/** Digest by which a file lies in caches. */
export const oidOf = (path: string, bytes: Uint8Array): string => isLarge(path) ? sha256(bytes) : gitSha(bytes)

const PAGE = 3

const refusal = (status: number, code: string, message: string): Response =>
  Response.json({ error: message }, { status, headers: { "x-error-code": code, "x-error-message": message } })

/** Bytes in pieces, with a pause between them, up to where the connection is closed. */
function body(
  bytes: Uint8Array<ArrayBuffer>,
  pause: number,
  cut: number | undefined,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0
  return new ReadableStream({
    async pull(controller) {
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
      if (cut !== undefined && at >= cut) return controller.close()
      if (at >= bytes.length) return controller.close()
      const end = Math.min(bytes.length, at + 65_536, cut === undefined || at >= cut ? Infinity : cut)
      controller.enqueue(bytes.slice(at, end))
      at = end
    },
  })
}

/** Starts a server with nothing on it. */
export function startHub(): HubServer {
  const seen: Array<Seen> = []
  const faults: Faults = { cutAfter: [], tampers: false, ignoresRanges: false, pause: 0, statuses: [] }
  const repositories = new Map<string, Repository>()
  const uploads = new Map<string, Uint8Array<ArrayBuffer>>()
  const note = (host: Seen["host"], request: Request) => {
    const { method, url, headers } = request
    const { pathname, search } = new URL(url)
    seen.push({
      method,
      host,
      path: pathname + search,
      range: headers.get("range"),
      authorization: headers.get("authorization"),
    })
  }

  /** A file as it is sent, from the first byte of a range on. */
  const send = (request: Request, given: Uint8Array<ArrayBuffer>, headers: Record<string, string>): Response => {
    const bytes = faults.tampers ? given.map((byte, i) => i === 0 ? byte ^ 1 : byte) : given
    const start = faults.ignoresRanges ? 0 : Number(/^bytes=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0)
    const isPart = start > 0
    if (start >= bytes.length && isPart) return new Response(null, { status: 416 })
    const rest = bytes.slice(start)
    const range = isPart ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}
    const all = { "accept-ranges": "bytes", "content-length": String(rest.length), ...range, ...headers }
    if (request.method === "HEAD") return new Response(null, { headers: all })
    return new Response(body(rest, faults.pause, faults.cutAfter.shift()), { status: isPart ? 206 : 200, headers: all })
  }

  const controller = new AbortController()
  const { signal } = controller
  const serving = { port: 0, hostname: "127.0.0.1", signal, onListen() {} }

  const files = Deno.serve(serving, async (request) => {
    note("files", request)
    const status = faults.statuses.shift()
    if (status !== undefined) return new Response(null, { status })
    const oid = new URL(request.url).pathname.slice(1)
    if (request.method === "PUT") {
      uploads.set(oid, new Uint8Array(await request.arrayBuffer()))
      return new Response(null, { headers: { etag: oid } })
    }
    for (const { commits } of repositories.values()) {
      for (const tree of commits.values()) {
        for (const [path, bytes] of tree) {
          if (oidOf(path, bytes) === oid) return send(request, bytes, { etag: `"${oid}"` })
        }
      }
    }
    return new Response(null, { status: 404 })
  })

  const isShut = ({ gate }: Repository, request: Request) =>
    gate !== undefined && request.headers.get("authorization") !== `Bearer ${gate}`

  const info = (name: string, { isPrivate, gate }: Repository, sha: string, paths: Iterable<string>) =>
    Response.json({
      _id: "1",
      id: name,
      modelId: name,
      sha,
      private: isPrivate ?? false,
      gated: gate === undefined ? false : "manual",
      downloads: 0,
      likes: 0,
      tags: [],
      lastModified: "2026-01-01T00:00:00.000Z",
      createdAt: "2026-01-01T00:00:00.000Z",
      siblings: [...paths].map((rfilename) => ({ rfilename })),
    })

  const tree = (request: Request, all: ReadonlyMap<string, Uint8Array>) => {
    const url = new URL(request.url)
    const from = Number(url.searchParams.get("cursor") ?? 0)
    const entries = [...all].map(([path, bytes]) => {
      const pointer = { type: "file", path, size: bytes.length, oid: gitSha(bytes) }
      return isLarge(path) ? { ...pointer, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } } : pointer
    })
    url.searchParams.set("cursor", String(from + PAGE))
    const more = from + PAGE < entries.length
    return Response.json(entries.slice(from, from + PAGE), more ? { headers: { link: `<${url}>; rel="next"` } } : {})
  }

  const resolve = (request: Request, path: string, sha: string, all: ReadonlyMap<string, Uint8Array<ArrayBuffer>>) => {
    const bytes = all.get(path)
    if (bytes === undefined) {
      const answer = refusal(404, "EntryNotFound", "Entry not found")
      answer.headers.set("x-repo-commit", sha)
      return answer
    }
    const oid = oidOf(path, bytes)
    const headers = { "x-repo-commit": sha, etag: `"${oid}"` }
    if (!isLarge(path)) return send(request, bytes, headers)
    const linked = { "x-linked-etag": `"${oid}"`, "x-linked-size": String(bytes.length) }
    const location = `http://127.0.0.1:${files.addr.port}/${oid}?Signature=secret-of-the-address`
    return new Response(null, { status: 302, headers: { ...headers, ...linked, location } })
  }

  const write = async (request: Request, pathname: string): Promise<Response> => {
    if (pathname === "/api/repos/create") {
      const { name, organization, visibility } = await request.json()
      const full = `${organization}/${name}`
      if (repositories.has(full)) return refusal(409, "", "You already created this model repo")
      repositories.set(full, { refs: new Map(), commits: new Map(), isPrivate: visibility === "private" })
      commit(full, { ".gitattributes": "" })
      return Response.json({ url: full })
    }
    if (pathname.endsWith("/info/lfs/objects/batch")) {
      const { objects } = await request.json()
      return Response.json({
        transfer: "basic",
        objects: objects.map(({ oid, size }: { oid: string; size: number }) => ({
          oid,
          size,
          actions: { upload: { href: `http://127.0.0.1:${files.addr.port}/${oid}?Signature=secret-of-the-address` } },
        })),
      })
    }
    const [, name, verb, revision] = /^\/api\/models\/([^/]+\/[^/]+)\/(preupload|commit)\/([^/]+)$/.exec(pathname)!
    if (verb === "preupload") {
      const { files } = await request.json()
      return Response.json({
        files: files.map(({ path }: { path: string }) => ({ path, uploadMode: isLarge(path) ? "lfs" : "regular" })),
      })
    }
    const lines = (await request.text()).trim().split("\n").map((line) => JSON.parse(line))
    const own: Record<string, Uint8Array> = {}
    for (const { key, value } of lines) {
      if (key === "file") own[value.path] = Uint8Array.from(atob(value.content), (letter) => letter.charCodeAt(0))
      if (key === "lfsFile") own[value.path] = uploads.get(value.oid)!
    }
    const sha = commit(name, own, { revision: decodeURIComponent(revision) })
    return Response.json({ success: true, commitOid: sha, commitUrl: `/${name}/commit/${sha}`, hookOutput: "" })
  }

  const hub = Deno.serve(serving, async (request) => {
    note("hub", request)
    const { pathname } = new URL(request.url)
    if (request.method === "POST") {
      return request.headers.has("authorization")
        ? await write(request, pathname)
        : refusal(401, "", "Invalid credentials")
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)(?:\/(revision|tree)\/([^/]+))?$/.exec(pathname)
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname)
    const name = (api ?? file)?.[1] ?? ""
    const repository = repositories.get(name)
    if (repository === undefined || (repository.hidden && isShut(repository, request))) {
      return refusal(401, "RepoNotFound", "Repository not found")
    }
    const revision = decodeURIComponent((file?.[2] ?? api?.[3]) ?? "main")
    const sha = repository.refs.get(revision) ?? revision
    const all = repository.commits.get(sha)
    if (all === undefined) return refusal(404, "RevisionNotFound", `Invalid rev id: ${revision}`)
    if (api !== null) return api[2] === "tree" ? tree(request, all) : info(name, repository, sha, all.keys())
    if (isShut(repository, request)) {
      return refusal(repository.gate === undefined ? 403 : 401, "GatedRepo", "Access is restricted")
    }
    return resolve(request, decodeURIComponent(file![3]), sha, all)
  })

  function commit(
    name: string,
    own: Files,
    { revision = "main", ...options }: Parameters<HubServer["commit"]>[2] = {},
  ) {
    const repository: Repository = repositories.get(name) ?? { refs: new Map(), commits: new Map() }
    Object.assign(repository, options)
    const before = repository.commits.get(repository.refs.get(revision) ?? "") ??
      new Map<string, Uint8Array<ArrayBuffer>>()
    const all = new Map([...before, ...Object.entries(own).map(([path, content]) => [path, bytesOf(content)] as const)])
    const sha = createHash("sha1").update(`${name} ${revision} ${repository.commits.size}`).digest("hex")
    repository.refs.set(revision, sha)
    repository.commits.set(sha, all)
    repositories.set(name, repository)
    return sha
  }

  return {
    endpoint: `http://127.0.0.1:${hub.addr.port}`,
    ports: [hub.addr.port, files.addr.port],
    seen,
    faults,
    repositories,
    commit,
    close: async () => {
      controller.abort()
      await Promise.all([hub.finished, files.finished])
    },
  }
}
