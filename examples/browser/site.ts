/**
 * A small server of a page, on this machine alone.
 * @module
 */

/** What lies at each path: a text, a file, or, at a path that ends in `/`, a folder. */
export type Site = Readonly<Record<string, string | URL>>

/** How it is served. */
export interface SiteOptions {
  /** Port; 0 takes a free one. Default 0. */
  readonly port?: number
  /** Sends the headers that give a page shared memory, and with it threads. Default true. */
  readonly isolated?: boolean
  /** Called with the address when it is there. */
  readonly onListen?: (address: string) => void
}

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
}

/** Serves it until the server is shut down. */
export function serve(site: Site, { port = 0, isolated = true, onListen }: SiteOptions = {}): Deno.HttpServer {
  const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }
  const find = (path: string): string | URL | undefined => {
    if (Object.hasOwn(site, path)) return site[path]
    const [, folder, name] = /^(.*\/)([\w.-]+)$/.exec(path) ?? []
    return folder !== undefined && Object.hasOwn(site, folder) ? new URL(name, site[folder]) : undefined
  }
  return Deno.serve({
    port,
    hostname: "localhost",
    onListen: ({ port }) => onListen?.(`http://localhost:${port}/`),
  }, async (request) => {
    const { pathname } = new URL(request.url)
    const found = find(pathname === "/" ? "/index.html" : pathname)
    const body = found instanceof URL ? await Deno.readFile(found).catch(() => undefined) : found
    if (body === undefined) return new Response("not found", { status: 404 })
    const type = types[pathname === "/" ? "html" : pathname.split(".").at(-1)!] ?? "application/octet-stream"
    return new Response(body, { headers: { "content-type": type, ...(isolated ? isolation : {}) } })
  })
}
