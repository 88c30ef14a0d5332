/**
 * `deno task conformance hub`: one cache for Espalier and for Python's huggingface_hub, on a local server: what either fetched
 * the other finds without it, a part that one left the other takes up, and locks are the same.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Hub from "../../../plugins/hub/mod.ts"
import { type HubServer, sha256, startHub } from "../../support/hub_server.ts"
import { environments, execute, pythonEnvironment } from "../environment.ts"

const script = decodeURIComponent(new URL("hub_cache.py", import.meta.url).pathname)
const weights = Uint8Array.from({ length: 400_000 }, (_, i) => (i * 31 + (i >> 8)) & 255)
const files = { "config.json": "{}", "tokenizer.json": "[]", "model.safetensors": weights }
const names = Object.keys(files)

/** What a check is given. */
interface Given {
  readonly server: HubServer
  readonly cache: string
  readonly python: (verb: "find" | "fetch", revision: string, offline: boolean) => Promise<ReadonlyArray<string>>
  readonly own: (revision: string, offline: boolean) => Promise<string>
}

const checks: Readonly<Record<string, (given: Given) => Promise<void>>> = {
  "Python finds what was fetched here, without the hub": async ({ server, cache, python, own }) => {
    const sha = server.commit("o/n", files)
    await own("main", false)
    const before = server.seen.length
    for (const revision of ["main", sha]) {
      assertEquals(
        await python("find", revision, true),
        names.map((name) => `${cache}/models--o--n/snapshots/${sha}/${name}`),
      )
    }
    assertEquals(server.seen.length, before)
  },
  "what Python fetched is found here, without the hub and with it": async ({ server, python, own }) => {
    const sha = server.commit("o/n", files)
    const [path] = await python("fetch", "main", false)
    const before = server.seen.length
    for (const revision of ["main", sha]) assertEquals(`${await own(revision, true)}/config.json`, path)
    assertEquals(server.seen.length, before)
    await own("main", false)
    assertEquals(server.seen.slice(before).filter(({ path }) => path.includes("/resolve/")), [])
  },
  "a part that either left does the other no harm; here it is taken up": async ({ server, cache, python, own }) => {
    server.commit("o/n", files)
    const incomplete = `${cache}/models--o--n/blobs/${sha256(weights)}.incomplete`
    await Deno.mkdir(`${cache}/models--o--n/blobs`, { recursive: true })
    for (const isOwn of [true, false]) {
      await Deno.writeFile(incomplete, weights.slice(0, 100_000))
      await (isOwn ? own("main", false) : python("fetch", "main", false))
      // Newer versions of huggingface_hub begin anew.
      if (isOwn) assertEquals(server.seen.findLast(({ host }) => host === "files")!.range, "bytes=100000-")
      assertEquals(await Deno.readFile(incomplete.replace(".incomplete", "")), weights)
      await Deno.remove(`${cache}/models--o--n/snapshots`, { recursive: true })
      await Deno.remove(incomplete.replace(".incomplete", ""))
    }
  },
  "both at once share one download": async ({ server, python, own }) => {
    server.commit("o/n", files)
    server.faults.pause = 300
    await Promise.all([own("main", false), python("fetch", "main", false)])
    assertEquals(server.seen.filter(({ host, method }) => host === "files" && method === "GET").length, 1)
  },
}

/** Runs all checks, with each environment's huggingface_hub. */
export const runHub = async (): Promise<{ readonly passed: number; readonly failed: number }> => {
  let passed = 0, failed = 0
  for (const environment of environments) {
    const program = await pythonEnvironment(environment)
    for (const [name, check] of Object.entries(checks)) {
      const server = startHub()
      const folder = await Deno.realPath(await Deno.makeTempDir())
      const cache = `${folder}/hub`
      const { endpoint } = server
      try {
        await check({
          server,
          cache,
          python: async (verb, revision, offline) => {
            const env = {
              HF_ENDPOINT: endpoint,
              HF_HUB_CACHE: cache,
              HF_HUB_OFFLINE: offline ? "1" : "0",
              HF_HUB_DISABLE_PROGRESS_BARS: "1",
              HF_HUB_DISABLE_XET: "1",
            }
            return JSON.parse(await execute(program, [script, verb, "o/n", revision, ...names], "piped", env))
          },
          own: (revision, offline) => {
            const name = `hf:o/n@${revision}`
            const layer = Hub.layer({ endpoint, cache, offline }).pipe(Layer.provide(NodeFileSystem.layer))
            return Effect.runPromise(Effect.provide(Effect.flatMap(Hub.Hub, (hub) => hub.download(name)), layer))
          },
        })
        console.log(`ok     ${name} (${environment.title})`)
        passed++
      } catch (error) {
        console.log(`FAILED ${name} (${environment.title}): ${error instanceof Error ? error.stack : error}`)
        failed++
      } finally {
        await server.close()
        await Deno.remove(folder, { recursive: true })
      }
    }
  }
  return { passed, failed }
}
